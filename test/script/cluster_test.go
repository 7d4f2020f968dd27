package script

import (
	"context"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// flip inverts one bit of a file: flip FILE POSITION
func flip(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(args[0])
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	b[at] ^= 4
	ts.Check(os.WriteFile(args[0], b, 0o600))
}

func connect(ts *testscript.TestScript, address string, opts ...kgo.Opt) (*kgo.Client, context.Context) {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(address))...)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	ts.Defer(func() { cancel(); cl.Close() })
	return cl, ctx
}

// waitStable waits until a group has a member with an assignment: waitstable ADDRESS GROUP
func waitStable(ts *testscript.TestScript, _ bool, args []string) {
	cl, ctx := connect(ts, args[0])
	for {
		groups, err := kadm.NewClient(cl).DescribeGroups(ctx, args[1])
		ts.Check(err)
		if g := groups[args[1]]; g.State == "Stable" && len(g.AssignedPartitions()) > 0 {
			return
		}
	}
}

// openTransaction leaves a transaction open with one record: opentransaction ADDRESS ID
func openTransaction(ts *testscript.TestScript, _ bool, args []string) {
	cl, ctx := connect(ts, args[0], kgo.TransactionalID(args[1]), kgo.TransactionTimeout(2*patience),
		kgo.DefaultProduceTopic("in-doubt"), kgo.AllowAutoTopicCreation())
	ts.Check(cl.BeginTransaction())
	ts.Check(cl.ProduceSync(ctx, kgo.StringRecord("maybe")).FirstErr())
}

package remote_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/client/clienttest"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// shared is a harness on an embedded broker that allows short sessions.
func shared(t *testing.T) (clienttest.Harness, string) {
	addr := serveMainstem(t)
	h := harness(t, addr)
	h.Session = shortSession
	return h, addr
}

func TestMembersConformOnMainstem(t *testing.T) {
	t.Parallel()
	clienttest.RunMembers(t, func(t *testing.T) clienttest.Harness { h, _ := shared(t); return h })
}

// The group protocol of Kafka 2.5 cannot tell a leader that came back to leave the assignment as it is.
func TestMembersConformWithTheGroupProtocolOfKafka25(t *testing.T) {
	t.Parallel()
	clienttest.RunMembers(t, func(t *testing.T) clienttest.Harness {
		h, addr := shared(t)
		old := func(t *testing.T) *process { return (&process{gate: gate{older: true}}).start(t, nil, addr) }
		h.Process = func(t *testing.T) clienttest.Process { return old(t) }
		h.Second = func(t *testing.T) client.Door { return old(t).Door() }
		return h
	})
}

func TestMembersConformOnKafka(t *testing.T) {
	addr := os.Getenv("MAINSTEM_KAFKA")
	if addr == "" {
		clienttest.Skip(t, "MAINSTEM_KAFKA=host:port is not set: no Kafka to test with")
	}
	clienttest.RunMembers(t, func(t *testing.T) clienttest.Harness { return harness(t, addr) })
}

func TestALostGroupRequestDoesNoHarm(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.TxnOffsetCommit} {
		for _, fate := range []fate{lost, unheard} {
			for nth := 1; nth <= 2; nth++ {
				t.Run(fmt.Sprintf("%s/%s/%d", key.Name(), fate, nth), func(t *testing.T) {
					t.Parallel()
					h, addr := shared(t)
					f := &faults{}
					f.mu.key, f.mu.fate, f.mu.nth = int16(key), fate, nth
					broken := newProcess(t, []kgo.Opt{kgo.Dialer(f.dial)}, addr)
					for tries := 0; ; tries++ {
						clienttest.ShareWork(t, h, nil, broken.Door(), open(t, addr))
						if nth > 1 || f.happened() { // whoever joins last asks only once
							return
						}
						if tries == 20 { // the other one may have done all before the group let this one begin
							t.Fatal("no request met the fault")
						}
					}
				})
			}
		}
	}
}

// A leader dies when it is about to tell the others what they are assigned.
func TestALeaderThatDiesBetweenJoinAndSync(t *testing.T) {
	for nth := 1; nth <= 3; nth++ {
		t.Run(fmt.Sprint(nth), func(t *testing.T) {
			t.Parallel()
			h, addr := shared(t)
			p := newProcess(t, nil, addr)
			p.killAt(kmsg.SyncGroup, nth)
			clienttest.ShareWork(t, h, nil, p.Door(), open(t, addr))
		})
	}
}

// A worker died between writing its positions and ending its transaction: whoever gets its work must not begin before that is decided.
func TestPositionsOfATransactionLeftOpenAreWaitedFor(t *testing.T) {
	onClusters(t, func(t *trial) {
		if strings.HasSuffix(t.Name(), "DoubleKafka25") {
			return // it does not know a group that has only positions of an open transaction
		}
		cl, err := kgo.NewClient(kgo.SeedBrokers(t.brokers...), kgo.MaxVersions(kversion.V3_0_0())) // the first transaction protocol
		t.must(err)
		defer cl.Close()
		const timeout = 1500 * time.Millisecond
		began := clock.System.Mono() // the transaction begins later
		t.positionsLeftOpen(cl, timeout)
		m, err := open(t.T, t.brokers...).Join(t.ctx, client.Membership{
			App: t.app, Worker: "next", Metadata: func() []byte { return nil },
			Assign: func(map[string][]byte) (map[string]client.Grant, error) { return nil, nil },
		})
		t.must(err)
		defer m.Close(t.ctx)
		got, err := m.Committed(t.ctx, t.in)
		t.must(err)
		if passed := clock.System.Mono() - began; passed < timeout-10*time.Millisecond { // brokers count in milliseconds
			t.Errorf("it waited until %v after the beginning only", passed)
		}
		if len(got) != 0 {
			t.Errorf("positions %v of a transaction that was aborted", got)
		}
	})
}

// positionsLeftOpen writes a position in a transaction and goes.
func (t *trial) positionsLeftOpen(cl *kgo.Client, timeout time.Duration) {
	t.Helper()
	id := t.app + "-dead"
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = &id, int32(timeout.Milliseconds())
	who, err := init.RequestWith(t.ctx, cl)
	t.must(err)
	t.must(kerr.ErrorForCode(who.ErrorCode))
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = id, who.ProducerID, who.ProducerEpoch, t.app
	added, err := add.RequestWith(t.ctx, cl)
	t.must(err)
	t.must(kerr.ErrorForCode(added.ErrorCode))
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.Group, commit.ProducerID, commit.ProducerEpoch = id, t.app, who.ProducerID, who.ProducerEpoch
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic = t.in.Topic
	partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	partition.Offset = 7
	topic.Partitions = append(topic.Partitions, partition)
	commit.Topics = append(commit.Topics, topic)
	committed, err := commit.RequestWith(t.ctx, cl)
	t.must(err)
	t.must(kerr.ErrorForCode(committed.Topics[0].Partitions[0].ErrorCode))
}

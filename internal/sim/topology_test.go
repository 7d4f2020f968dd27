package sim

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// app is the pipeline's name. Its shape is that of the payments system: two inputs with payloads of their own, a common topic
// that the pipeline writes and reads, a repartition by account, and a table that counts every event, so that one that is lost
// or taken twice shows.
const app = "sim"

// The topics and how many partitions each has: all different where that is possible.
const (
	leftTopic   = "left"
	rightTopic  = "right"
	eventsTopic = "events"
	totalsTopic = "totals"
	tableName   = "totals"
)

var partitions = map[string]int32{leftTopic: 2, rightTopic: 3, eventsTopic: 3, totalsTopic: 2}

const accountPartitions = 4

func pipeline() (*stream.Topology, error) {
	t := stream.New(app)
	for _, topic := range []string{leftTopic, rightTopic} {
		in := stream.From(t, topic, serde.String, serde.String)
		stream.MapValues(in, func(v string) string { return derive(topic, v) }).To(eventsTopic, serde.String, serde.String)
	}
	events := stream.From(t, eventsTopic, serde.String, serde.String)
	byAccount := stream.GroupBy(events, func(v string) string { return parse(v).account }, serde.String, stream.Partitions(accountPartitions))
	totals := stream.Aggregate(byAccount, total{}, total.add, totalSerde{}, stream.Named(tableName))
	totals.Updates().To(totalsTopic, serde.String, totalSerde{})
	return t.Build()
}

// derive is what becomes of an input in the common topic: its padding is left out and its channel put behind.
func derive(topic, v string) string {
	e := parse(v)
	return fmt.Sprintf("%d %s %d %s", e.id, e.account, e.amount, topic)
}

// An event is an input or a common event: "id account amount rest".
type event struct {
	id      int64
	account string
	amount  int64
}

func parse(v string) event {
	f := strings.SplitN(v, " ", 4)
	if len(f) != 4 {
		panic("not an event: " + v)
	}
	return event{id: number(f[0]), account: f[1], amount: number(f[2])}
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// A total adds up an account's events.
type total struct{ count, amount, ids int64 }

func (t total) add(v string) total {
	e := parse(v)
	return total{t.count + 1, t.amount + e.amount, t.ids + e.id}
}

type totalSerde struct{}

func (totalSerde) Append(dst []byte, t total) ([]byte, error) {
	return fmt.Appendf(dst, "%d %d %d", t.count, t.amount, t.ids), nil
}

func (totalSerde) Decode(b []byte) (t total, err error) {
	if b == nil {
		return total{}, serde.ErrNull
	}
	_, err = fmt.Sscan(string(b), &t.count, &t.amount, &t.ids)
	return t, err
}

func (totalSerde) HoldsNull() bool { return false }

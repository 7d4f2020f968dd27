package processor_test

import (
	"fmt"

	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

var seen = state.KeyValue("seen", serde.String, serde.Int64)

// once forwards the first record of each key.
type once struct {
	seen state.KeyValueStore[string, int64]
}

func (p *once) Init(ctx processor.Context[string, string]) error {
	p.seen = seen.In(ctx)
	return nil
}

func (p *once) Process(ctx processor.Context[string, string], r processor.Record[string, string]) error {
	if _, known := p.seen.PutIfAbsent(r.Key, int64(r.Time)); !known {
		ctx.Forward(r)
	}
	return nil
}

func (p *once) Close() error { return nil }

func newOnce() processor.Processor[string, string, string, string] { return &once{} }

func Example() {
	b := stream.New("shop")
	orders := stream.From(b, "orders", serde.String, serde.String)
	stream.Process(orders, newOnce, stream.Connect(seen)).To("first-orders", serde.String, serde.String)
	topology, err := b.Build()
	if err != nil {
		panic(err)
	}
	d, err := streamtest.Open(topology)
	if err != nil {
		panic(err)
	}
	in := streamtest.NewInput(d, "orders", serde.String, serde.String)
	in.Pipe("ann", "pears", 1)
	in.Pipe("ann", "apples", 2)
	in.Pipe("bob", "plums", 3)
	for _, r := range streamtest.NewOutput(d, "first-orders", serde.String, serde.String).ReadAll() {
		fmt.Println(r.Key, r.Value)
	}
	// Output:
	// ann pears
	// bob plums
}

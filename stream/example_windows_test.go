package stream_test

import (
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

func ExampleWindowedBy() {
	b := stream.New("clicks")
	clicks := stream.GroupByKey(stream.From(b, "clicks", serde.String, serde.String))
	minutes := stream.WindowedBy(clicks, stream.Tumbling(time.Minute, 10*time.Second))
	counts := stream.CountWindows(minutes, stream.Named("clicks-per-minute"), stream.EmitOnClose())
	counts.Updates().To("counts", stream.WindowedSerde(serde.String, time.Minute), serde.Int64)

	topology, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := streamtest.Open(topology)
	if err != nil {
		fmt.Println(err)
		return
	}
	in := streamtest.NewInput(d, "clicks", serde.String, serde.String)
	in.Pipe("ann", "/", 1_000)
	in.Pipe("ann", "/cart", 61_000)
	in.Pipe("ann", "/help", 59_000) // a little late
	in.Pipe("ann", "/", 70_000)     // closes the first minute

	out := streamtest.NewOutput(d, "counts", stream.WindowedSerde(serde.String, time.Minute), serde.Int64)
	for _, r := range out.ReadAll() {
		fmt.Println(r.Key.Key, r.Key.Start, r.Key.End, r.Value)
	}
	// Output: ann 0 60000 2
}

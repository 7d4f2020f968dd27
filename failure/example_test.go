package failure_test

import (
	"fmt"

	"github.com/mainstemio/mainstem/failure"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

func ExampleHandler() {
	b := stream.New("readings")
	in := stream.From(b, "readings", serde.String, serde.Int64)
	valid := stream.TryMapValues(in, func(v int64) (int64, error) {
		if v < 0 {
			return 0, stream.Reject("a reading is negative")
		}
		return v, nil
	}, stream.Named("valid"))
	valid.To("valid-readings", serde.String, serde.Int64)
	topology, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}

	decide := func(r failure.Record) failure.Decision {
		fmt.Printf("%s of offset %d in step %s: %s\n", r.Phase, r.Offset, r.Step, r.Reason)
		if r.Phase == failure.Decode {
			return failure.DeadLetter
		}
		return failure.Continue
	}
	d, err := streamtest.Open(topology, streamtest.OnFailure(decide)) // in production: worker.Config or mainstem.OnFailure
	if err != nil {
		fmt.Println(err)
		return
	}
	readings := streamtest.NewInput(d, "readings", serde.String, serde.Int64)
	readings.Pipe("cellar", 7, 1)
	readings.Pipe("cellar", -273, 2)
	streamtest.NewInput(d, "readings", serde.String, serde.String).Pipe("roof", "odd", 3)
	fmt.Println(len(streamtest.NewOutput(d, "valid-readings", serde.String, serde.Int64).ReadAll()), "valid,",
		len(streamtest.NewOutput(d, "readings.dead", serde.String, serde.String).ReadAll()), "dead")
	// Output:
	// process of offset 1 in step valid: a reading is negative
	// decode of offset 2 in step KSTREAM-SOURCE-0000000000: the value cannot be decoded: int64: at byte 3: 3 bytes where 8 are needed
	// 1 valid, 1 dead
}

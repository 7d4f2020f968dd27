package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/client/local"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/topology"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// inSmallWorld is inWorld on a broker with small files, so that there is something to compact.
func inSmallWorld(t *testing.T, test func(w *world, compacted func() int)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b, err := broker.Open(broker.Options{
			FS: vfs.NewCrashable(), Dir: "broker", Clock: clock.System, JournalFileSize: 64 << 10, SegmentBytes: 8 << 10,
			TopicDefaults: map[string]string{"retention.ms": "-1"},
			Events: func(e broker.Event) {
				if e.Kind == "compacted" {
					n++
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		w := &world{t: t, broker: b}
		w.door = &gatedDoor{Door: local.New(b, clock.System)}
		w.topic("in", 2, nil)
		w.topic("out", 2, nil)
		test(w, func() int {
			synctest.Wait()
			return n
		})
		cancel()
		if err := errors.Join(<-ended, b.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestAStateRestoredFromACompactedChangelogIsTheSame(t *testing.T) {
	for codec, key := range map[batch.Codec]string{batch.None: "key-", batch.Snappy: strings.Repeat("long-", 50) + "key-"} {
		t.Run(fmt.Sprint("codec ", codec), func(t *testing.T) { restoresFromCompacted(t, key, codec) })
	}
}

// restoresFromCompacted runs with keys that make changelog batches be written with codec.
func restoresFromCompacted(t *testing.T, prefix string, codec batch.Codec) {
	inSmallWorld(t, func(w *world, compacted func() int) {
		const keys, rounds = 40, 60
		e := w.engine(counting(t), func(o *Options) { o.Checkpoints = nil }) // all state comes from the changelog
		changelog := record.TopicPartition{Topic: topology.Changelog(e.o.App, "counts")}
		l := w.start(e)
		want := map[string]int{}
		round := func() {
			for i := range keys {
				key := fmt.Sprint(prefix, i)
				want[key]++
				w.publish("in", 0, key+"=x")
			}
			time.Sleep(150 * time.Millisecond)
		}
		for range rounds {
			round()
		}
		time.Sleep(time.Second)
		grown := w.broker.LogSize(changelog)
		written := map[batch.Codec]int{} // epochs of few records are plain
		for rest := w.broker.Fetch(broker.Fetch{Ref: broker.TopicRef{Name: changelog.Topic}, MaxBytes: 1 << 30, LeaderEpoch: -1}).Batches; len(rest) > 0; {
			v, behind, err := batch.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			written[v.Codec()]++
			rest = behind
		}
		if written[codec] == 0 || codec == batch.None && len(written) > 1 {
			t.Errorf("the changelog has batches of codecs %v, want %d", written, codec)
		}
		time.Sleep(2 * time.Minute) // the cleaner asks for a checkpoint and comes again
		shrunk := w.broker.LogSize(changelog)
		if compacted() == 0 || shrunk > grown/2 {
			t.Fatalf("%d compactions; the changelog had %d bytes and has %d", compacted(), grown, shrunk)
		}
		l.crash()
		l = w.start(e)
		time.Sleep(time.Second)
		fields, n := w.event("state-restored")
		if n != 1 || fields["records"].(int64) >= keys*rounds {
			t.Errorf("%d restores, the last of %v", n, fields)
		}
		round()
		time.Sleep(time.Second)
		l.stop()
		last := map[string]string{}
		for _, r := range w.read("out") {
			key, count, _ := strings.Cut(r, "=")
			last[key] = count
		}
		for key, count := range want {
			if last[key] != fmt.Sprint(count) {
				t.Errorf("%s was counted %s times, not %d", key, last[key], count)
			}
		}
	})
}

//go:build suites

package compat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/need"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestStreamsCountsExactlyOnceThroughKills runs a Kafka Streams program that counts records by key with exactly_once_v2, kills it
// again and again, and reads what it wrote: for each key 1, 2, 3, … up to the number of its records, each once.
//
// MAINSTEM_COMPAT_STREAMS is a directory with target/classes and target/lib that hold a program peers.Main, whose workload count
// reads PAYMENTS-IN and writes COUNT-OUT.
func TestStreamsCountsExactlyOnceThroughKills(t *testing.T) {
	dir := need.Env(t, "MAINSTEM_COMPAT_STREAMS", "a directory with the compiled Kafka Streams program")
	k := javaKit{need.Program(t, "java"), broker(t)}
	const n, keys, partitions, kills = 60000, 500, 4, 3
	adm := kadm.NewClient(k.client(t))
	for _, topic := range []string{"PAYMENTS-IN", "COUNT-OUT"} {
		_, _ = adm.DeleteTopic(t.Context(), topic) // of a run before
		again := time.NewTicker(200 * time.Millisecond)
		defer again.Stop()
		_, err := adm.CreateTopic(t.Context(), partitions, 1, nil, topic)
		for n := 0; n < 50 && errors.Is(err, kerr.TopicAlreadyExists); n++ { // Apache Kafka deletes behind the answer
			<-again.C
			_, err = adm.CreateTopic(t.Context(), partitions, 1, nil, topic)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	in := k.client(t, kgo.DefaultProduceTopic("PAYMENTS-IN"))
	send := func(from, to int) {
		for i := from; i < to; i++ {
			in.Produce(t.Context(), &kgo.Record{Key: []byte(strconv.Itoa(i % keys)), Value: []byte(strconv.Itoa(i))}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := in.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	app := streamsApp{t: t, java: k.java, dir: dir, args: []string{
		"count", "bootstrap=" + k.address, "app=" + unique(t), "state=" + t.TempDir(), "guarantee=exactly_once_v2", "threads=2", "commit=200",
		"consumer.session.timeout.ms=6000", "consumer.heartbeat.interval.ms=1000", "producer.transaction.timeout.ms=10000",
	}}
	counts := map[string]uint64{}
	out := k.client(t, kgo.ConsumeTopics("COUNT-OUT"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	seen := 0
	read := func(until int) {
		for seen < until {
			fs := out.PollFetches(t.Context())
			if err := fs.Err(); err != nil {
				t.Fatal(err)
			}
			fs.EachRecord(func(r *kgo.Record) {
				seen++
				counts[string(r.Key)]++
				if got := binary.BigEndian.Uint64(r.Value); got != counts[string(r.Key)] {
					t.Fatalf("key %s is %d at %d/%d, want %d", r.Key, got, r.Partition, r.Offset, counts[string(r.Key)])
				}
			})
		}
	}
	for i := range kills + 1 {
		app.start()
		send(i*n/(kills+1), (i+1)*n/(kills+1))
		if i < kills {
			read((2*i + 1) * n / (kills + 1) / 2) // half of what it has been given
			app.kill()
		}
	}
	read(n)
	app.kill()
	for key := range keys {
		if got := counts[strconv.Itoa(key)]; got != n/keys {
			t.Errorf("key %d: %d, want %d", key, got, n/keys)
		}
	}
	if seen != n {
		t.Errorf("%d outputs for %d inputs", seen, n)
	}
}

// A streamsApp is a Kafka Streams process that is started and killed.
type streamsApp struct {
	t         *testing.T
	java, dir string
	args      []string
	cmd       *exec.Cmd
}

func (a *streamsApp) start() {
	a.t.Helper()
	path := fmt.Sprintf("%s:%s", filepath.Join(a.dir, "target", "classes"), filepath.Join(a.dir, "target", "lib", "*"))
	a.cmd = exec.Command(a.java, append([]string{"-Xmx512m", "-Dlog4j2.level=ERROR", "-cp", path, "peers.Main"}, a.args...)...)
	a.cmd.Stderr = os.Stderr
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(a.kill)
}

func (a *streamsApp) kill() {
	if a.cmd == nil {
		return
	}
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait() // it was killed
	a.cmd = nil
}

package worker_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/worker"
)

// byLength counts the values of "in" by their lengths, which moves them from task to task.
func byLength(t *testing.T) *stream.Topology {
	t.Helper()
	b := stream.New("lengths")
	in := stream.From(b, "in", serde.String, serde.String)
	grouped := stream.GroupBy(in, func(v string) string { return fmt.Sprint(len(v)) }, serde.String, stream.Named("by-length"))
	counts := stream.Count(grouped, stream.Named("lengths"))
	stream.MapTable(counts, func(n int64) string { return fmt.Sprint(n) }).Updates().To("counted", serde.String, serde.String)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

func TestTwoWorkersOfOneProcessShareAnApplication(t *testing.T) {
	c := newCluster(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopics(within(t), 4, 1, nil, "in"); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	publish := func() {
		t.Helper()
		var values []string
		for i := range 100 {
			v := strings.Repeat("x", 1+i%7)
			values = append(values, v)
			want[fmt.Sprint(len(v))]++
		}
		c.publish(values...)
	}
	check := func() {
		t.Helper()
		var expected []string
		for length, n := range want {
			for i := range n {
				expected = append(expected, fmt.Sprintf("%s=%d", length, i+1))
			}
		}
		slices.Sort(expected)
		equal(t, "counted", expected, slices.Sorted(slices.Values(c.read("counted", len(expected)))))
	}
	dirs := [2]string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
	shared := func(i int) *life {
		return startOf(t, byLength(t), worker.Config{Brokers: []string{c.addr}, Dir: dirs[i], Shared: true})
	}
	a := shared(0)
	publish()
	check()
	b := shared(1)
	b.awaitLog("msg=tasks-restored")
	publish()
	check()
	a.stop()
	publish()
	check()
	a = shared(0)
	a.awaitLog("msg=tasks-restored")
	b.stop()
	publish()
	check()
	a.stop()

	alone := startOf(t, byLength(t), worker.Config{Brokers: []string{c.addr}, Dir: filepath.Join(t.TempDir(), "c")})
	publish()
	check()
	alone.stop()
}

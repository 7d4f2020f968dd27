package stream_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// groupPipeline sums and counts the rows of "in", which are like "group|number", by group. A number that is none fails.
func groupPipeline(t *testing.T) (*stream.Topology, stream.Table[string, int64], stream.Table[string, int64]) {
	t.Helper()
	b := stream.New("groups")
	rows := stream.TableFrom(b, "in", serde.String, serde.String)
	groups := stream.GroupTableBy(rows, func(v string) (*string, int64) {
		group, number, _ := strings.Cut(v, "|")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic(err)
		}
		if group == "" {
			return nil, n
		}
		return &group, n
	}, nullable, serde.Int64, stream.Named("groups"))
	add := func(k *string, a, n int64) int64 { return a + n }
	sub := func(k *string, a, n int64) int64 { return a - n }
	sums := stream.AggregateTableWithKey(groups, 0, add, sub, serde.Int64, stream.Named("sums"))
	counts := stream.CountTable(groups, stream.Named("counts"))
	// Tables with null keys can't be read as views of strings: regroup them by their own keys.
	again := func(t stream.Table[*string, int64], store string) stream.Table[string, int64] {
		g := stream.GroupTableByWithKey(t, func(k *string, n int64) (string, int64) { return *k, n }, serde.String, serde.Int64)
		return stream.ReduceTable(g, func(_, n int64) int64 { return n }, func(a, _ int64) int64 { return a }, stream.Named(store))
	}
	s, c := again(sums, "sums-by-name"), again(counts, "counts-by-name")
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return topology, s, c
}

func TestTableAggregatesFollowTheRows(t *testing.T) {
	topology, sums, counts := groupPipeline(t)
	modes := map[string][]streamtest.Option{
		"record by record": nil,
		"together":         {streamtest.Batch(1000)},
		"partitions":       {streamtest.Batch(6), streamtest.Partitions(3)},
	}
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(15) {
				d := streamtest.New(t, topology, append([]streamtest.Option{streamtest.DeadLetter()}, opts...)...)
				rng := rand.New(rand.NewPCG(seed, 2))
				rows := map[string]string{}
				for i := range 60 {
					key := fmt.Sprint("k", rng.IntN(5))
					value := fmt.Sprint(strings.TrimSpace(string(" abc"[rng.IntN(4)])), "|", rng.IntN(100))
					rec := record.Record{TopicPartition: record.TopicPartition{Topic: "in"}, Timestamp: record.Timestamp(rng.IntN(50)), Key: []byte(key), Value: []byte(value)}
					switch rng.IntN(8) {
					case 0:
						rec.Value = nil
						delete(rows, key)
					case 1:
						rec.Value = append(rec.Value, '!') // it fails and changes nothing
					default:
						rows[key] = value
					}
					d.Pipe(rec)
					if i%20 == 19 {
						d.Restart()
					}
				}
				wantSums, wantCounts := map[string]int64{}, map[string]int64{}
				for _, v := range rows {
					if group, number, _ := strings.Cut(v, "|"); group != "" {
						n, _ := strconv.ParseInt(number, 10, 64)
						wantSums[group] += n
						wantCounts[group]++
					}
				}
				gotSums, gotCounts := tableRows(t, d, sums), tableRows(t, d, counts)
				for group, n := range gotCounts {
					if n == 0 && gotSums[group] == 0 { // a group without rows stays
						delete(gotSums, group)
						delete(gotCounts, group)
					}
				}
				if diff := cmp.Diff(wantSums, gotSums); diff != "" {
					t.Fatalf("seed %d: sums: -want +got\n%s", seed, diff)
				}
				if diff := cmp.Diff(wantCounts, gotCounts); diff != "" {
					t.Fatalf("seed %d: counts: -want +got\n%s", seed, diff)
				}
			}
		})
	}
}

func TestTableGroupsShareOneMove(t *testing.T) {
	topology, _, _ := groupPipeline(t)
	moves := 0
	for _, n := range topology.Nodes {
		if n.Name == "groups-repartition" {
			moves++
		}
	}
	if moves != 1 {
		t.Errorf("the group moves its rows %d times", moves)
	}
}

func TestTableGroupMistakes(t *testing.T) {
	b := stream.New("mistakes")
	rows := stream.TableFrom(b, "in", serde.String, serde.String)
	g := stream.GroupTableBy[string, string, string, string](rows, nil, serde.String, serde.String, stream.Partitions(0))
	stream.ReduceTable(g, nil, nil)
	_, err := b.Build()
	for _, want := range []string{"GroupTableBy: a function or serde is nil", "ReduceTable: a function or serde is nil", "Partitions is 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

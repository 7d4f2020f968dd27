package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// A transfer moves money from one account to another, so the sum over all accounts is 0 at every moment.
type transfer struct {
	ID     int64  `json:"id"`
	From   string `json:"from"`
	To     string `json:"to"`
	Amount int64  `json:"amount"`
}

const (
	transferWindow = time.Minute
	// transferGrace is longer than one partition can get ahead of another: what is late would take money from one side only.
	transferGrace = 24 * time.Hour
	transferSlots = 1024 // the last transfer of each is kept
)

// transfers are the ways on which the money of one transfer takes two: to the account that gives it and to the one that gets it, in total and
// by the minute, and to two tables of the newest transfers, one of them behind another repartition.
func transfers(opts ...stream.BuilderOption) (*stream.Topology, error) {
	b := stream.New("transfers", opts...)
	in := stream.From(b, "transfers", serde.String, serde.JSON[transfer]())
	to := stream.GroupBy(in, func(t transfer) string { return t.To }, serde.String, stream.Named("to"))
	from := stream.GroupBy(in, func(t transfer) string { return t.From }, serde.String, stream.Named("from"))
	add := func(sum int64, t transfer) int64 { return sum + t.Amount }

	balances := stream.OuterJoinTables(stream.Aggregate(to, 0, add, serde.Int64, stream.Named("credits")),
		stream.Aggregate(from, 0, add, serde.Int64, stream.Named("debits")), difference)
	decimal(balances, "balances")
	decimal(total(stream.GroupTableBy(balances, func(n int64) (string, int64) { return "all", n }, serde.String, serde.Int64), "total"), "total")

	minutes := stream.OuterJoinTables(windowed(to, "minute-credits"), windowed(from, "minute-debits"), difference)
	byMinute := stream.GroupTableByWithKey(minutes, func(w stream.Windowed[string], n int64) (string, int64) {
		return strconv.FormatInt(int64(w.Start), 10), n
	}, serde.String, serde.Int64)
	decimal(total(byMinute, "minute-total"), "minutes")

	here := newest(in, "newest")
	there := newest(in.Repartition("around", serde.String, serde.JSON[transfer]()), "newest-around")
	write(stream.LeftJoinTables(here, there, func(id int64, same *int64) string {
		if same == nil {
			return fmt.Sprintf("%d/-", id)
		}
		return pair(id, *same)
	}), "newest")
	return b.Build()
}

// difference is what an account has got less what it has given.
func difference(got, gave *int64) int64 {
	n := int64(0)
	if got != nil {
		n = *got
	}
	if gave != nil {
		n -= *gave
	}
	return n
}

func total(g stream.GroupedTable[string, int64], name string) stream.Table[string, int64] {
	return stream.AggregateTable(g, 0, func(sum, n int64) int64 { return sum + n }, func(sum, n int64) int64 { return sum - n }, serde.Int64, stream.Named(name))
}

func windowed(g stream.Grouped[string, transfer], name string) stream.Table[stream.Windowed[string], int64] {
	return stream.AggregateWindows(stream.WindowedBy(g, stream.Tumbling(transferWindow, transferGrace)), 0,
		func(sum int64, t transfer) int64 { return sum + t.Amount }, serde.Int64, stream.Named(name))
}

// newest keeps the id of the last transfer of each slot: two of one slot are in the same partition, since the key is the slot.
func newest(s stream.Stream[string, transfer], name string) stream.Table[string, int64] {
	slots := stream.GroupByKey(s.WithSerdes(serde.String, serde.JSON[transfer]()))
	return stream.Aggregate(slots, 0, func(_ int64, t transfer) int64 { return t.ID }, serde.Int64, stream.Named(name))
}

package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// The inputs: a number and a click are facts, accounts, limits and owners are tables. All keys are texts; owners have their own keys,
// the others share theirs, and the ids tell all records apart.
type (
	number struct {
		ID     int64 `json:"id"`
		Number int64 `json:"number"`
	}
	click struct {
		ID int64 `json:"id"`
	}
	account struct {
		ID    int64  `json:"id"`
		Owner string `json:"owner"`
	}
	limit struct {
		ID int64 `json:"id"`
	}
	owner struct {
		ID int64 `json:"id"`
	}
)

var (
	numberJSON   = serde.JSON[number]()
	clickJSON    = serde.JSON[click]()
	accountJSON  = serde.JSON[account]()
	limitJSON    = serde.JSON[limit]()
	ownerJSON    = serde.JSON[owner]()
	distinctJSON = serde.JSON[[]int64]()
	text         = serde.Nullable(serde.String)
)

// Windows and how far apart records are joined; the checks know the same figures. The grace of the join is longer than one of its
// inputs can get ahead of the other.
const (
	windowSize   = 20 * time.Second
	windowGrace  = 10 * time.Second
	sessionGap   = 4 * time.Second
	sessionGrace = 10 * time.Second
	apart        = 10 * time.Second
	joinGrace    = 24 * time.Hour
	residues     = 20 // distinct counts the numbers modulo this
	groups       = 7
)

func topology() (*stream.Topology, error) {
	b := stream.New("smoke")
	numbers := stream.From(b, "numbers", serde.String, numberJSON)
	clicks := stream.From(b, "clicks", serde.String, clickJSON)
	accounts := stream.TableFrom(b, "accounts", serde.String, accountJSON, stream.Named("accounts"))
	limits := stream.TableFrom(b, "limits", serde.String, limitJSON)
	owners := stream.TableFrom(b, "owners", serde.String, ownerJSON)

	aggregates(numbers)
	windows(numbers)
	joined := stream.Join(numbers, clicks.WithSerdes(serde.String, clickJSON), stream.Within(apart, apart).Grace(joinGrace),
		func(n number, c click) string { return pair(n.ID, c.ID) }, stream.StoresNamed("joined"))
	joined.To("joined", serde.String, serde.String)
	stream.LeftJoinTable(clicks, accounts, func(c click, a *account) string {
		if a == nil {
			return strconv.FormatInt(c.ID, 10) + "/-"
		}
		return pair(c.ID, a.ID)
	}).To("enriched", serde.String, serde.String)
	write(stream.JoinTables(accounts, limits, func(a account, l limit) string { return pair(a.ID, l.ID) }), "limited")
	write(stream.JoinForeign(accounts, owners, func(_ string, a account) string { return a.Owner },
		func(a account, o owner) string { return pair(a.ID, o.ID) }, serde.String, stream.JoinNamed("owned")), "owned")
	return b.Build()
}

func pair(a, b int64) string { return fmt.Sprintf("%d/%d", a, b) }

// write writes the updates of a table, deletes as nulls.
func write(t stream.Table[string, string], topic string) {
	stream.Nullable(t.Updates()).To(topic, serde.String, text)
}

// decimal writes the updates of a table of numbers as text.
func decimal(t stream.Table[string, int64], topic string) {
	stream.MapValues(t.Updates(), func(n int64) string { return strconv.FormatInt(n, 10) }).To(topic, serde.String, serde.String)
}

// aggregates are per key: all updates of each go to a topic of its name.
func aggregates(s stream.Stream[string, number]) {
	g := stream.GroupByKey(stream.MapValues(s, func(n number) int64 { return n.Number }).WithSerdes(serde.String, serde.Int64))
	add := func(sum, n int64) int64 { return sum + n }
	sum := stream.Aggregate(g, 0, add, serde.Int64, stream.Named("sum"))
	count := stream.Count(g, stream.Named("count"))
	decimal(count, "count")
	decimal(sum, "sum")
	decimal(stream.Reduce(g, func(old, n int64) int64 { return min(old, n) }, serde.Int64, stream.Named("min")), "min")
	stream.Reduce(g, func(old, n int64) int64 { return max(old, n) }, serde.JSON[int64](), stream.Named("max"), stream.Published("max"))
	write(stream.JoinTables(sum, count, func(sum, count int64) string { return strconv.FormatFloat(float64(sum)/float64(count), 'f', 3, 64) }), "average")
	distinct := stream.Aggregate(g, nil, func(seen []int64, n int64) []int64 {
		at, found := slices.BinarySearch(seen, n%residues)
		if found {
			return seen
		}
		return slices.Insert(slices.Clone(seen), at, n%residues)
	}, distinctJSON, stream.Named("distinct"))
	stream.MapValues(distinct.Updates(), func(seen []int64) string { return strconv.Itoa(len(seen)) }).To("distinct", serde.String, serde.String)

	moved := stream.GroupBy(s, func(n number) string { return fmt.Sprintf("group-%d", n.ID%groups) }, serde.String, stream.Named("groups"))
	decimal(stream.Count(moved, stream.Named("by-group")), "groups")
}

// windows writes the updates of windows and sessions under keys with their times, and of the windows the final results too.
func windows(s stream.Stream[string, number]) {
	g := stream.GroupByKey(s)
	tumbling := stream.CountWindows(stream.WindowedBy(g, stream.Tumbling(windowSize, windowGrace)), stream.Named("windows"))
	writeWindows(tumbling, "windows")
	writeWindows(stream.SuppressUntilClose(tumbling, stream.Named("final")), "final")
	sessions := stream.Sessions(sessionGap, sessionGrace).Retention(time.Hour)
	writeWindows(stream.CountSessions(stream.WindowedBySessions(g, sessions), stream.Named("sessions")), "sessions")
}

func writeWindows(t stream.Table[stream.Windowed[string], int64], topic string) {
	stream.Map(stream.Nullable(t.Updates()), func(w stream.Windowed[string], n *int64) (string, *string) {
		key := fmt.Sprintf("%s@%d-%d", w.Key, w.Start, w.End)
		if n == nil {
			return key, nil
		}
		count := strconv.FormatInt(*n, 10)
		return key, &count
	}).To(topic, serde.String, text)
}

package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

func addWord(a, v string) string         { return a + v }
func addNumber(a string, n int64) string { return a + fmt.Sprint("#", n) }
func joinBoth(a, b string) string        { return "(" + a + "&" + b + ")" }

// wordsAndNumbers cogroups two topics of different types.
func wordsAndNumbers(b *stream.Builder) stream.Cogrouped[string, string] {
	return stream.Cogroup(
		stream.Fold(stream.GroupByKey(stream.From(b, "words", serde.String, serde.String)), addWord),
		stream.Fold(stream.GroupByKey(stream.From(b, "numbers", serde.String, serde.Int64)), addNumber),
	)
}

// A cogroupCase is an aggregation of words and numbers; a record is word@time or #number@time, all of key k.
type cogroupCase struct {
	name  string
	build func(b *stream.Builder)
	in    string
	out   string
	late  int64
}

var cogroups = []cogroupCase{
	{
		name: "a table has the values in the order in which they come, and the highest time",
		build: func(b *stream.Builder) {
			stream.AggregateCogroup(wordsAndNumbers(b), "", serde.String, stream.Named("co")).Updates().To("out", serde.String, serde.String)
		},
		in:  "x@5 #1@3 y@9 #2@7",
		out: "k=x@5 k=x#1@5 k=x#1y@9 k=x#1y#2@9",
	},
	{
		name: "windows are late by the time of their own stream",
		build: func(b *stream.Builder) {
			t := stream.AggregateCogroupWindows(wordsAndNumbers(b), stream.Tumbling(10*time.Millisecond, 0).Retention(time.Minute), "", serde.String,
				stream.Named("co"))
			windowKeys(t.Updates())
		},
		in:   "x@5 y@25 z@6 #1@7 #2@30 #3@8",
		out:  "k[0,10)=x@5 k[20,30)=y@25 k[0,10)=x#1@7 k[30,40)=#2@30",
		late: 2,
	},
	{
		name: "sliding windows",
		build: func(b *stream.Builder) {
			t := stream.AggregateCogroupWindows(wordsAndNumbers(b), stream.Sliding(10*time.Millisecond, 0), "", serde.String, stream.Named("co"))
			windowKeys(t.Updates())
		},
		in:  "x@20 #1@25",
		out: "k[10,20)=x@20 k[21,31)=#1@25 k[15,25)=x#1@25",
	},
	{
		name: "sessions of both streams merge, and are late by the time of their own",
		build: func(b *stream.Builder) {
			t := stream.AggregateCogroupSessions(wordsAndNumbers(b), stream.Sessions(5*time.Millisecond, 0).Retention(time.Minute), "", joinBoth,
				serde.String, stream.Named("co"))
			windowKeys(t.Updates())
		},
		in: "x@10 #1@18 y@14 z@40 w@12 #2@15 v@1",
		out: "k[10,10)=x@10 k[18,18)=#1@18 k[10,10)=~@10 k[18,18)=~@18 k[10,18)=((&x)&#1)y@18 k[40,40)=z@40 " +
			"k[10,18)=~@18 k[10,18)=(&((&x)&#1)y)#2@18",
		late: 2,
	},
}

// windowKeys writes the windows of keys as text.
func windowKeys(s stream.Stream[stream.Windowed[string], string]) {
	stream.SelectKeyWithKey(stream.Nullable(s), func(k stream.Windowed[string], _ *string) string {
		return fmt.Sprintf("%s[%d,%d)", k.Key, k.Start, k.End)
	}).To("out", serde.String, nullable)
}

func TestCogroup(t *testing.T) {
	for _, c := range cogroups {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, ", restart ", restart), func(t *testing.T) {
				b := stream.New("app")
				c.build(b)
				d := streamtest.New(t, build(t, b))
				words := streamtest.NewInput(d, "words", serde.String, serde.String)
				numbers := streamtest.NewInput(d, "numbers", serde.String, serde.Int64)
				var late int64
				for _, r := range strings.Fields(c.in) {
					var n, at int64
					if _, err := fmt.Sscanf(r, "#%d@%d", &n, &at); err == nil {
						numbers.Pipe("k", n, record.Timestamp(at))
					} else {
						word, ts, _ := strings.Cut(r, "@")
						_, err := fmt.Sscan(ts, &at)
						if err != nil {
							t.Fatal(err)
						}
						words.Pipe("k", word, record.Timestamp(at))
					}
					if restart {
						late += d.Dropped()["late"]
						d.Restart()
					}
				}
				if got := readText(d, "out"); got != c.out {
					t.Errorf("got\n%s, want\n%s", got, c.out)
				}
				if late += d.Dropped()["late"]; late != c.late {
					t.Errorf("%d late, want %d", late, c.late)
				}
			})
		}
	}
}

// A record that is refused takes back what it and others of its unit did, through whichever input they came.
func TestCogroupTakesBackUnits(t *testing.T) {
	for _, batch := range []int{1, 2, 100} {
		b := stream.New("app")
		refusing := func(a, v string) string {
			if v == "bad" {
				panic(v)
			}
			return a + v
		}
		c := stream.Cogroup(
			stream.Fold(stream.GroupByKey(stream.From(b, "words", serde.String, serde.String)), refusing),
			stream.Fold(stream.GroupByKey(stream.From(b, "numbers", serde.String, serde.Int64)), addNumber),
		)
		windowKeys(stream.AggregateCogroupSessions(c, stream.Sessions(5*time.Millisecond, 0), "", joinBoth, serde.String).Updates())
		d := streamtest.New(t, build(t, b), streamtest.Batch(batch), streamtest.DeadLetter())
		words := streamtest.NewInput(d, "words", serde.String, serde.String)
		numbers := streamtest.NewInput(d, "numbers", serde.String, serde.Int64)
		numbers.Pipe("k", 1, 1)
		words.Pipe("k", "bad", 2)
		numbers.Pipe("k", 2, 3)
		words.Pipe("k", "bad", 1000)
		words.Pipe("k", "x", 1004)
		want := "k[1,1)=#1@1 k[1,1)=~@1 k[1,3)=(&#1)#2@3 k[1004,1004)=x@1004"
		if got := readText(d, "out"); got != want {
			t.Errorf("batch %d: got\n%s, want\n%s", batch, got, want)
		}
	}
}

func TestCogroupMistakes(t *testing.T) {
	moved := func(b *stream.Builder, topic string) stream.Grouped[string, string] {
		return stream.GroupBy(stream.From(b, topic, serde.String, serde.String), func(v string) string { return v }, serde.String)
	}
	for want, make := range map[string]func(b *stream.Builder){
		"two builders": func(b *stream.Builder) {
			other := stream.New("other")
			stream.AggregateCogroup(stream.Cogroup(stream.Fold(moved(b, "a"), addWord), stream.Fold(moved(other, "b"), addWord)), "", serde.String)
		},
		"function or serde is nil": func(b *stream.Builder) {
			stream.AggregateCogroup(stream.Cogroup(stream.Fold[string, string, string](moved(b, "a"), nil)), "", serde.String)
		},
		"every name may be used once": func(b *stream.Builder) {
			stream.AggregateCogroup(stream.Cogroup(stream.Fold(moved(b, "a"), addWord), stream.Fold(moved(b, "b"), addWord)), "", serde.String)
		},
		"the grace is -1s": func(b *stream.Builder) {
			w := stream.Sessions(time.Second, -time.Second)
			stream.AggregateCogroupSessions(stream.Cogroup(stream.Fold(moved(b, "a"), addWord)), w, "", joinBoth, serde.String)
		},
	} {
		b := stream.New("app")
		make(b)
		if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want a mistake that contains %q, got %v", want, err)
		}
	}
}

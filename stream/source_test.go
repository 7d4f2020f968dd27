package stream_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/streamtest"
)

// timeInValue reads the number behind the value's last '|'; without one it is an error, and "none" has no time.
func timeInValue(r stream.Incoming[string, string]) (record.Timestamp, error) {
	at := r.Value[strings.LastIndexByte(r.Value, '|')+1:]
	if at == "none" {
		return record.NoTimestamp, nil
	}
	ts, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return 0, stream.Reject("the time is not a number")
	}
	return record.Timestamp(ts), nil
}

func timedDriver(t *testing.T, topics string, batch int, opts ...stream.Option) *streamtest.Driver {
	t.Helper()
	b := stream.New("app")
	stream.FromTopics(b, strings.Split(topics, ","), serde.String, serde.String, append(opts, stream.Timestamps(timeInValue))...).
		To("out", serde.String, serde.String)
	return streamtest.New(t, build(t, b), streamtest.Batch(batch))
}

func TestTheExtractedTimeDecidesWhatComesNext(t *testing.T) {
	d := timedDriver(t, "in,other", 10)
	pipe(t, d, "a=x|30@1 a=y|50@2 other:b=p|40@1 other:b=q|10@2")
	if got, want := readText(d, "out"), "a=x|30@30 b=p|40@40 b=q|10@10 a=y|50@50"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestInvalidTimes(t *testing.T) {
	t.Run("are bad records", func(t *testing.T) {
		err := pipeRow(t, timedDriver(t, "in", 1), "a=none@5")
		if err == nil || !strings.Contains(err.Error(), "negative") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("are skipped and counted", func(t *testing.T) {
		d := timedDriver(t, "in", 10, stream.SkipInvalidTime())
		pipe(t, d, "a=x|3@1 a=none@2 a=y|1@3")
		if got, want := readText(d, "out"), "a=x|3@3 a=y|1@1"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if n := d.Dropped()["invalid timestamp"]; n != 1 {
			t.Errorf("dropped %v", d.Dropped())
		}
	})
	t.Run("give way to the partition's", func(t *testing.T) {
		d := timedDriver(t, "in", 10, stream.UsePartitionTime())
		pipe(t, d, "a=x|30@1 a=y|20@2 a=none@3")
		d.Restart()
		pipe(t, d, "b=none@4")
		if got, want := readText(d, "out"), "a=x|30@30 a=y|20@20 a=none@30 b=none@30"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if err := pipeRow(t, timedDriver(t, "in", 1, stream.UsePartitionTime()), "a=none@5"); err == nil {
			t.Error("a first record without a time is taken")
		}
	})
	t.Run("errors tell their reason, whatever is skipped", func(t *testing.T) {
		err := pipeRow(t, timedDriver(t, "in", 1, stream.SkipInvalidTime()), "a=x@5")
		if err == nil || !strings.Contains(err.Error(), "the time is not a number") {
			t.Errorf("got error %v", err)
		}
	})
}

func TestTimesOfManyRecordsAfterAFailure(t *testing.T) {
	// The failing record undoes its unit, with the partition's time as it was before.
	b := stream.New("app")
	s := stream.From(b, "in", serde.String, serde.String, stream.Timestamps(timeInValue), stream.UsePartitionTime())
	stream.TryMapValues(s, func(v string) (string, error) {
		if strings.HasPrefix(v, "bad") {
			return "", stream.Reject("bad")
		}
		return v, nil
	}).To("out", serde.String, serde.String)
	d := streamtest.New(t, build(t, b), streamtest.Batch(2000), streamtest.DeadLetter())
	for i := range 1500 {
		pipe(t, d, "a=v|"+strconv.Itoa(i)+"@1")
	}
	pipe(t, d, "a=bad|5000@1 a=none@1")
	rows := strings.Fields(readText(d, "out"))
	if len(rows) != 1501 || rows[1499] != "a=v|1499@1499" || rows[1500] != "a=none@5000" {
		t.Errorf("%d rows, at the end %v", len(rows), rows[max(len(rows)-2, 0):])
	}
}

func TestTimestampsOfOtherTypesAreAMistake(t *testing.T) {
	b := stream.New("app")
	stream.From(b, "in", serde.String, serde.Int64, stream.Timestamps(timeInValue))
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "Timestamps") {
		t.Errorf("got error %v", err)
	}
}

func TestAPatternReadsTopicsAsTheyCome(t *testing.T) {
	b := stream.New("app")
	orders := stream.FromPattern(b, "orders-[a-z]+", serde.String, serde.String, stream.Named("orders"))
	if again := stream.FromPattern(b, "orders-[a-z]+", serde.String, serde.String); again != orders {
		t.Error("the same pattern with the same serdes is another stream")
	}
	counts := stream.Count(stream.GroupByKey(orders), stream.Named("counts"))
	stream.MapValues(counts.Updates(), func(n int64) string { return strconv.FormatInt(n, 10) }).To("orders-counted", serde.String, serde.String)
	topology := build(t, b)
	d := streamtest.New(t, topology, streamtest.TopicPartitions("orders-eu", 1))
	pipe(t, d, "orders-eu:a=x@1 orders-us:a=x@2 orders-us:b=x@3 orders-eu:a=x@4 other:a=x@5 orders-1:a=x@6")
	if got, want := readText(d, "orders-counted"), "a=1@1 a=2@2 b=1@3 a=3@4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if text := topology.Describe(); !strings.Contains(text, "Source: orders (topics: orders-[a-z]+)") {
		t.Errorf("described as\n%s", text)
	}
}

func TestMistakesOfPatterns(t *testing.T) {
	for name, c := range map[string]struct {
		pattern string
		opts    []stream.Option
		want    string
	}{
		"a bad expression":  {pattern: "orders-(", want: "missing closing )"},
		"times from values": {pattern: ".*", opts: []stream.Option{stream.Timestamps(timeInValue)}, want: "Timestamps has no meaning here"},
		"no time ago":       {pattern: ".*", opts: []stream.Option{stream.FromAgo(0)}, want: "FromAgo is 0s, but must be positive"},
	} {
		t.Run(name, func(t *testing.T) {
			b := stream.New("app")
			stream.FromPattern(b, c.pattern, serde.String, serde.String, c.opts...).To("out", serde.String, serde.String)
			if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

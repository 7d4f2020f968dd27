package fsck

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/record"
)

// contents is everything that a broker serves: batches by partition and offset, offsets of groups, starts and ends.
type contents map[string]string

// serve opens the broker for real and reads all it has. Partitions that it refuses, and offsets that it cannot read, are left out.
func serve(t testing.TB, w world, file string, change []byte) (contents, error) {
	t.Helper()
	b, err := broker.Open(brokerOptions(w.fs(t, file, change)))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	out := contents{}
	b.EachPartition(func(p broker.PartitionStats) {
		if !p.Damaged {
			out[fmt.Sprintf("%v start", p.TopicPartition)] = fmt.Sprint(p.Start)
			readAll(b, p, out)
		}
	})
	return out, nil
}

func readAll(b *broker.Broker, p broker.PartitionStats, out contents) {
	for at := p.Start; at < p.High; {
		r := b.Fetch(broker.Fetch{Ref: broker.TopicRef{Name: p.Topic}, Partition: p.Partition, Offset: at, MaxBytes: 1, LeaderEpoch: -1})
		if r.Err != nil || len(r.Batches) == 0 {
			at++
			continue
		}
		for rest := r.Batches; len(rest) > 0; {
			v, more, err := batch.Next(rest)
			if err != nil {
				break
			}
			for o := max(v.BaseOffset(), p.Start); o <= v.LastOffset(); o++ {
				out[place(p.TopicPartition, int64(o))] = string(v)
			}
			at, rest = v.LastOffset()+1, more
		}
	}
}

func place(tp record.TopicPartition, o int64) string { return fmt.Sprintf("%v at %d", tp, o) }

// judge compares what fsck says of a changed file with what the node then does.
func judge(t *testing.T, w world, want contents, file string, change []byte) (codes []string) {
	t.Helper()
	r := checked(t, w.fs(t, file, change))
	got, err := serve(t, w, file, change)
	if r.Starts != (err == nil) {
		t.Fatalf("%s: starts %v, the node says: %v", file, r.Starts, err)
	}
	told, torn, worst := map[string]bool{}, false, r.Worst()
	for _, f := range r.Findings {
		codes = append(codes, f.Code)
		torn = torn || f.Code == "torn_tail"
		if f.Node == "" || f.Next == "" || f.About == "" || f.File == "" || !strings.Contains(file, strings.TrimSuffix(f.File, "/")) && f.Code != "log_unclaimed" {
			t.Errorf("%s: finding without an explanation, or of another file: %+v", file, f)
		}
		if strings.Contains(f.Node, "refuses all reads") {
			f.From, f.To = 0, 1000
		}
		for o := f.From; f.Severity == Damage && o < f.To; o++ {
			told[place(record.TopicPartition{Topic: f.Topic, Partition: f.Partition}, o)] = true
		}
	}
	if err != nil {
		if worst != Damage {
			t.Errorf("%s: the node refuses (%v), fsck says %q", file, err, worst)
		}
		return codes
	}
	lost := 0
	for key, v := range want {
		if got[key] == v {
			continue
		}
		lost++
		if !told[key] && !torn && !strings.HasSuffix(key, "start") {
			t.Errorf("%s: %s is not served and fsck does not say so: %+v", file, key, r.Findings)
			return codes
		}
	}
	if lost == 0 && worst == Damage && !slices.Contains(codes, "index_wrong") {
		t.Errorf("%s: everything is served, and fsck says %+v", file, r.Findings)
	}
	return codes
}

func TestEveryFlippedBitIsFoundAndWhatIsSaidIsWhatTheNodeDoes(t *testing.T) {
	killed, ended := fill(t)
	seen := map[string]int{}
	for name, w := range map[string]world{"killed": killed, "ended": ended} {
		want, err := serve(t, w, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range slices.Sorted(maps.Keys(w)) {
			for _, at := range places(w[file]) {
				change := bytes.Clone(w[file])
				change[at] ^= 1 << (at % 8)
				codes := judge(t, w, want, file, change)
				if len(codes) == 0 && mattersAt(file, w[file], at, name == "ended") {
					t.Errorf("%s: bit at %d of %s: nothing was found", name, at, file)
				}
				for _, c := range codes {
					seen[c]++
				}
				if t.Failed() {
					t.Fatalf("%s: bit at %d of %s, %v", name, at, file, codes)
				}
			}
		}
	}
	for _, code := range []string{"checkpoint_copy_damaged", "journal_damaged", "torn_tail", "records_damaged", "index_damaged", "start_damaged"} {
		if seen[code] == 0 {
			t.Errorf("%s was never found: %v", code, seen)
		}
	}
}

// places are where a file is changed: in what is written of it, at its end, and once behind.
func places(b []byte) (at []int) {
	used := len(bytes.TrimRight(b, "\x00"))
	step := max(1, used/20)
	for i := 0; i < used; i += step + i%3 {
		at = append(at, i)
	}
	if used > 0 {
		at = append(at, used-1)
	}
	if used < len(b) {
		at = append(at, (used+len(b))/2)
	}
	return at
}

// mattersAt tells whether a byte holds anything: not the reserve of a journal file, nor what lies behind the checkpoint's mark in a
// segment, which the journal has again.
func mattersAt(file string, b []byte, at int, ended bool) bool {
	switch {
	case strings.Contains(file, "/journal-"):
		return len(bytes.Trim(b[at:], "\x00")) > 0
	case strings.HasSuffix(file, ".log"), strings.HasSuffix(file, ".index"):
		return ended
	}
	return strings.Contains(file, "checkpoint-") || filepath.Base(file) == "start"
}

func TestEveryCutAndEveryMissingFileIsFound(t *testing.T) {
	killed, ended := fill(t)
	for _, w := range []world{killed, ended} {
		want, err := serve(t, w, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range slices.Sorted(maps.Keys(w)) {
			b := w[file]
			if strings.HasSuffix(file, "/") || filepath.Base(file) == "LOCK" {
				continue
			}
			judge(t, w, want, file, nil)
			for i := range 12 {
				n := int(math.Round(float64(len(b)) * float64(i) / 12))
				judge(t, w, want, file, append([]byte{}, b[:n]...))
			}
			if t.Failed() {
				t.Fatal(file)
			}
		}
	}
}

func TestFilesThatAreNotTheNodesAreNamedAndHarmless(t *testing.T) {
	_, w := fill(t)
	for _, file := range []string{
		"/data/broker/notes.txt", "/data/broker/journal/journal.bak", "/data/broker/partitions/old", "/data/broker/partitions/00000001/x.log",
	} {
		w[file] = []byte("hello")
		r := checked(t, w.fs(t, "", nil))
		delete(w, file)
		if len(r.Findings) != 1 || r.Findings[0].Code != "unknown_file" || r.Worst() != Harmless || "/data/"+r.Findings[0].File != file {
			t.Errorf("%s: %+v", file, r.Findings)
		}
	}
	w["/data/broker/partitions/00000003/00000000000000000000.log"] = nil // number 3 was the deleted topic's
	if r := checked(t, w.fs(t, "", nil)); len(r.Findings) != 1 || r.Findings[0].Code != "log_left_over" || r.Worst() != Repaired {
		t.Errorf("%+v", r.Findings)
	}
}

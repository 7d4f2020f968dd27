package cleanup

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/record"
)

var update = flag.Bool("update", false, "write the scenarios' golden text")

// The scenarios are texts of commands; what a command answers follows it in lines that begin with "> ".
//
//	batch [pid=N] [seq=N] [txn] [codec=N] key=value …   appends a batch; "-" is null
//	commit pid=N | abort pid=N                          appends a marker; an abort is listed from then on
//	roll                                                ends the segment
//	compact now=N [keep=N] [map=N] [segment=N]          compacts all sealed segments: keep is delete.retention.ms, map bytes of the map
//	forget                                              the broker forgets the aborts that the last compaction found empty
//	show                                                shows the log; compact does, too
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &scenario{t: t, log: newMemLog(t), first: map[int64]record.Offset{}, seq: map[int64]int32{}}
			got := s.run(string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s differs (go test -update rewrites it); now it is:\n%s", file, got)
			}
		})
	}
}

type scenario struct {
	t       *testing.T
	log     *memLog
	first   map[int64]record.Offset // of open transactions
	seq     map[int64]int32
	aborted []AbortedTxn
	empty   []record.Offset
}

func (s *scenario) run(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, ">") {
			continue
		}
		out.WriteString(line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			for answer := range strings.Lines(s.command(words)) {
				out.WriteString("> " + answer)
			}
		}
	}
	return out.String()
}

func (s *scenario) command(words []string) string {
	args, records := map[string]int64{}, [][2]string{}
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		switch n, err := strconv.ParseInt(value, 10, 64); {
		case !ok:
			args[name] = 1
		case len(name) > 1 && err == nil:
			args[name] = n
		default:
			records = append(records, [2]string{name, value})
		}
	}
	pid := int64(-1)
	if n, ok := args["pid"]; ok {
		pid = n
	}
	switch words[0] {
	case "batch":
		s.batch(pid, args, records)
	case "commit", "abort":
		s.marker(pid, words[0] == "commit")
	case "roll":
		s.log.roll()
	case "forget":
		for _, m := range s.empty {
			s.aborted = forget(s.aborted, m)
		}
		s.empty = nil
	case "compact":
		return s.compact(args)
	case "show":
		return s.show()
	default:
		s.t.Fatalf("unknown command %v", words)
	}
	return ""
}

func forget(all []AbortedTxn, marker record.Offset) (out []AbortedTxn) {
	for _, a := range all {
		if a.Marker != marker {
			out = append(out, a)
		}
	}
	return out
}

func (s *scenario) batch(pid int64, args map[string]int64, records [][2]string) {
	var b batch.Builder
	b.Reset(batch.Params{ProducerID: pid, BaseSequence: s.seq[pid], Transactional: args["txn"] == 1, Codec: batch.Codec(args["codec"])})
	for _, r := range records {
		b.Append(100, toNull(r[0]), toNull(r[1]), nil)
	}
	if _, open := s.first[pid]; !open && args["txn"] == 1 {
		s.first[pid] = s.log.end()
	}
	s.seq[pid] += int32(len(records))
	s.log.append(b.AppendTo(nil))
}

func (s *scenario) marker(pid int64, commit bool) {
	if first, ok := s.first[pid]; ok && !commit {
		s.aborted = append(s.aborted, AbortedTxn{pid, first, s.log.end()})
	}
	delete(s.first, pid)
	s.log.append(batch.EndMarker(pid, 0, commit, 0, 100))
}

func (s *scenario) compact(args map[string]int64) string {
	segments := s.log.Segments()
	plan, err := Compactable(segments, Policy{DirtyRatio: -1, MaxLag: math.MaxInt64},
		Progress{s.log.cleaned, segments[len(segments)-1].Base, record.Timestamp(args["now"])}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	limit := args["segment"]
	if limit == 0 {
		limit = 1 << 20
	}
	if !plan.Due {
		return "nothing is dirty\n"
	}
	r, err := Compact(s.log, Job{SegmentBytes: limit, Options: Options{
		Plan: plan, MapBytes: args["map"], Aborted: s.aborted, Now: record.Timestamp(args["now"]), DeleteRetention: args["keep"],
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.empty = r.EmptyAborts
	out := s.show()
	if len(r.EmptyAborts) > 0 {
		out += fmt.Sprintf("empty aborts %v\n", r.EmptyAborts)
	}
	return out
}

func (s *scenario) show() string {
	var b strings.Builder
	for _, g := range s.log.segments {
		fmt.Fprintf(&b, "segment %d\n", g.base)
		for _, v := range g.batches {
			fmt.Fprintf(&b, "  %s\n", batchText(s.t, v))
		}
	}
	return b.String()
}

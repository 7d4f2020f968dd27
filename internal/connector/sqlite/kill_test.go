package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/record"
)

// childPath tells a test binary that was started again to write endlessly to the database it names.
const childPath = "MAINSTEM_TEST_SQLITE_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		fmt.Fprintln(os.Stderr, "child:", writeForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// entry is the record at an offset: a pure function, so that anybody can recompute what a position must hold.
func entry(at int64) string {
	key := at * 7919 % 40
	if at%11 == 0 {
		return fmt.Sprint(key)
	}
	words := make([]string, 1+at%5)
	for i := range words {
		words[i] = fmt.Sprintf("w%d-%d", at, i)
	}
	return fmt.Sprintf("%d=%s", key, strings.Join(words, ","))
}

func writeForever(path string) error {
	s, err := New(config(path))
	if err != nil {
		return err
	}
	held, err := s.Open(context.Background())
	if err != nil {
		return err
	}
	at := int64(held[p0].Offset)
	for {
		n := 1 + at%97
		entries := make([]string, n)
		for i := range entries {
			entries[i] = entry(at + int64(i))
		}
		if err := s.Write(context.Background(), batch(record.Offset(at), entries...)); err != nil {
			return err
		}
		at += n
		fmt.Println(at)
	}
}

// recompute returns what contents must be for a position.
func recompute(next int64) []string {
	shelf := map[int64][]string{}
	for at := range next {
		k, v, live := strings.Cut(entry(at), "=")
		var key int64
		fmt.Sscan(k, &key)
		delete(shelf, key)
		if live {
			shelf[key] = strings.Split(v, ",")
		}
	}
	var rows []string
	for key := range int64(40) {
		for i, w := range shelf[key] {
			rows = append(rows, fmt.Sprintf("%d/%d=%s", key, i+1, w))
		}
	}
	return append(rows, fmt.Sprintf("next %d", next))
}

func TestKilledAnywhereRowsEqualThePosition(t *testing.T) {
	kills := 30
	if testing.Short() {
		kills = 5
	}
	path := filepath.Join(t.TempDir(), "a.db")
	rnd := rand.New(rand.NewSource(3))
	var before int64
	for range kills {
		acknowledged := runAndKill(t, path, 1+rnd.Intn(6), time.Duration(rnd.Intn(4000))*time.Microsecond)
		got := contents(t, path)
		var next int64
		if _, err := fmt.Sscanf(got[len(got)-1], "next %d", &next); err != nil {
			t.Fatal(err)
		}
		if next < acknowledged || next <= before {
			t.Fatalf("position %d after %d was acknowledged, %d held before", next, acknowledged, before)
		}
		before = next
		if diff := cmp.Diff(recompute(next), got); diff != "" {
			t.Fatalf("rows do not belong to position %d (-want +got):\n%s", next, diff)
		}
	}
}

// runAndKill lets a child write some batches, kills it in the middle of the next and returns the last position it reported.
func runAndKill(t *testing.T, path string, batches int, more time.Duration) int64 {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childPath+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var acknowledged int64
	for range batches {
		if !lines.Scan() {
			break // it failed: the caller sees no progress
		}
		fmt.Sscan(lines.Text(), &acknowledged)
	}
	<-time.After(more) // anywhere in the next batches
	_ = child.Process.Kill()
	for lines.Scan() { // what it reported meanwhile counts too
		fmt.Sscan(lines.Text(), &acknowledged)
	}
	_ = child.Wait() // "signal: killed"
	return acknowledged
}

func BenchmarkWriteGroupsOfFive(b *testing.B) {
	s, err := New(config(filepath.Join(b.TempDir(), "a.db")))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Open(context.Background()); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const perBatch, keys = 2000, 100_000
	at := int64(0)
	rows := 0
	for b.Loop() {
		entries := make([]string, perBatch)
		for i := range entries {
			entries[i] = fmt.Sprintf("%d=one-%d,two,three,four,five", (at+int64(i))*7919%keys, at)
		}
		if err := s.Write(context.Background(), batch(record.Offset(at), entries...)); err != nil {
			b.Fatal(err)
		}
		at += perBatch
		rows += perBatch * 5
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

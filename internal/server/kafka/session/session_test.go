package session

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

var start = time.UnixMilli(1e12)

// counted gives session ids 1, 2, 3, ….
func counted() func() uint32 {
	n := uint32(0)
	return func() uint32 { n++; return n << 1 }
}

func newCache(o Options) *Cache {
	o.Random = counted()
	return New(o)
}

func key(p int32) Key { return Key{Topic: "t", Partition: p} }

func wants(ps ...int32) []Want {
	var out []Want
	for _, p := range ps {
		out = append(out, Want{Key: key(p), MaxBytes: 100, LeaderEpoch: -1})
	}
	return out
}

// told answers every partition of f with the same.
func told(f *Fetch, o Outcome) []Outcome {
	return slices.Repeat([]Outcome{o}, len(f.Wants))
}

var quiet = Outcome{High: 5, Stable: 5}

// openSession begins a session and answers it.
func openSession(t *testing.T, c *Cache, at time.Time, ws []Want) int32 {
	t.Helper()
	f, err := c.Begin(at, Request{Owner: "a", Wants: ws})
	if err != nil {
		t.Fatal(err)
	}
	id, err := f.End(at, told(f, quiet))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// next goes on with a session.
func next(c *Cache, at time.Time, id, epoch int32) (*Fetch, *kerr.Error) {
	return c.Begin(at, Request{ID: id, Epoch: epoch, Owner: "a"})
}

func partitions(f *Fetch) []int32 {
	var out []int32
	for _, w := range f.Wants {
		out = append(out, w.Partition)
	}
	return out
}

func TestOnlyNewsIsTold(t *testing.T) {
	c := newCache(Options{})
	id := openSession(t, c, start, wants(0))
	f, err := next(c, start, id, 1)
	if err != nil || !f.Incremental() {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name string
		o    Outcome
		want bool
	}{
		{"nothing", quiet, false},
		{"records", Outcome{High: 5, Stable: 5, Records: true}, true},
		{"high watermark", Outcome{High: 6, Stable: 5}, true},
		{"last stable offset", Outcome{High: 5, Stable: 6}, true},
		{"log start", Outcome{High: 5, Stable: 5, Start: 1}, true},
		{"error", Outcome{High: 5, Stable: 5, Failed: true}, true},
	} {
		if got := f.News(0, x.o); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

func TestAPartitionIsToldAgainAfterItsError(t *testing.T) {
	c := newCache(Options{})
	id := openSession(t, c, start, wants(0))
	f, _ := next(c, start, id, 1)
	if _, err := f.End(start, told(f, Outcome{High: -1, Stable: -1, Start: -1, Failed: true})); err != nil {
		t.Fatal(err)
	}
	f, _ = next(c, start, id, 2)
	if !f.News(0, quiet) {
		t.Error("the offsets are not told again")
	}
}

func TestRequestsAddChangeAndForgetPartitions(t *testing.T) {
	c := newCache(Options{})
	id := openSession(t, c, start, wants(0, 1, 2))
	moved := wants(1, 3)
	moved[0].Offset = 77
	f, err := c.Begin(start, Request{ID: id, Epoch: 1, Owner: "a", Wants: moved, Forget: []Key{key(0), key(9)}})
	if err != nil || !slices.Equal(partitions(f), []int32{1, 2, 3}) || f.Wants[0].Offset != 77 {
		t.Fatalf("%v %+v", err, f)
	}
	if f.News(0, quiet) || !f.News(2, quiet) {
		t.Error("only the new partition is news")
	}
	if _, err := f.End(start, told(f, quiet)); err != nil {
		t.Fatal(err)
	}
	if f, _ = next(c, start, id, 2); f.News(2, quiet) {
		t.Error("the new partition is told twice")
	}
}

func TestASessionWithoutPartitionsIsOver(t *testing.T) {
	c := newCache(Options{})
	id := openSession(t, c, start, wants(0))
	f, err := c.Begin(start, Request{ID: id, Epoch: 1, Owner: "a", Forget: []Key{key(0)}})
	if err != nil || f.Incremental() || len(f.Wants) != 0 {
		t.Fatalf("%v %+v", err, f)
	}
	if id, err := f.End(start, nil); id != 0 || err != nil {
		t.Errorf("session %d, %v", id, err)
	}
	if _, err := next(c, start, id, 2); err != kerr.FetchSessionIDNotFound || c.mu.bytes != 0 {
		t.Errorf("%v, %d bytes", err, c.mu.bytes)
	}
}

func TestWhatDoesNotBelongToASessionIsRefused(t *testing.T) {
	c := newCache(Options{})
	id := openSession(t, c, start, wants(0))
	for _, x := range []struct {
		name string
		r    Request
		want *kerr.Error
	}{
		{"unknown id", Request{ID: id + 1, Epoch: 1, Owner: "a"}, kerr.FetchSessionIDNotFound},
		{"no id", Request{Epoch: 1, Owner: "a"}, kerr.FetchSessionIDNotFound},
		{"another's session", Request{ID: id, Epoch: 1, Owner: "b"}, kerr.FetchSessionIDNotFound},
		{"old epoch", Request{ID: id, Epoch: math.MaxInt32, Owner: "a"}, kerr.InvalidFetchSessionEpoch},
		{"epoch to come", Request{ID: id, Epoch: 2, Owner: "a"}, kerr.InvalidFetchSessionEpoch},
		{"negative epoch", Request{ID: id, Epoch: -2, Owner: "a"}, kerr.InvalidFetchSessionEpoch},
		{"ids instead of names", Request{ID: id, Epoch: 1, Owner: "a", ByID: true}, kerr.FetchSessionTopicIDError},
	} {
		if _, err := c.Begin(start, x.r); err != x.want {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	if _, err := next(c, start, id, 1); err != nil {
		t.Errorf("the session has suffered: %v", err)
	}
}

func TestFullRequestsCloseTheSessionTheyName(t *testing.T) {
	for _, epoch := range []int32{0, -1} {
		c := newCache(Options{})
		id := openSession(t, c, start, wants(0))
		if _, err := c.Begin(start, Request{ID: id, Epoch: epoch, Owner: "b", Wants: wants(0)}); err != nil {
			t.Fatal(err)
		}
		if c.find(id, "a") == nil {
			t.Errorf("epoch %d: closed by a stranger", epoch)
		}
		f, err := c.Begin(start, Request{ID: id, Epoch: epoch, Owner: "a", Wants: wants(0)})
		if err != nil || f.Incremental() || len(f.Wants) != 1 {
			t.Fatalf("epoch %d: %v %+v", epoch, err, f)
		}
		fresh, err := f.End(start, told(f, quiet))
		if err != nil || (fresh != 0) != (epoch == 0) || c.find(id, "a") != nil {
			t.Errorf("epoch %d: session %d, %v", epoch, fresh, err)
		}
	}
}

func TestTheAnswerToAnOvertakenRequestIsAnError(t *testing.T) {
	c := newCache(Options{})
	id := openSession(t, c, start, wants(0, 1))
	old, _ := next(c, start, id, 1)
	newer, err := c.Begin(start, Request{ID: id, Epoch: 2, Owner: "a", Forget: []Key{key(0)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.End(start, told(old, quiet)); err != kerr.InvalidFetchSessionEpoch {
		t.Errorf("overtaken: %v", err)
	}
	if _, err := newer.End(start, told(newer, quiet)); err != nil {
		t.Errorf("newest: %v", err)
	}
}

func TestEpochsWrapToOne(t *testing.T) {
	c := newCache(Options{})
	id := openSession(t, c, start, wants(0))
	c.mu.sessions[id].mu.epoch = math.MaxInt32
	for _, epoch := range []int32{math.MaxInt32, 1} {
		f, err := next(c, start, id, epoch)
		if err != nil {
			t.Fatalf("epoch %d: %v", epoch, err)
		}
		if _, err := f.End(start, told(f, quiet)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPartitionsThatHadRecordsComeLastNextTime(t *testing.T) {
	c := newCache(Options{})
	id := openSession(t, c, start, wants(0, 1, 2))
	f, _ := next(c, start, id, 1)
	out := told(f, quiet)
	out[0].Records = true
	if _, err := f.End(start, out); err != nil {
		t.Fatal(err)
	}
	if f, _ = next(c, start, id, 2); !slices.Equal(partitions(f), []int32{1, 2, 0}) {
		t.Errorf("%v", partitions(f))
	}
}

func TestSlotsAreGivenByAgeAndSize(t *testing.T) {
	c := newCache(Options{Slots: 2})
	small, large := openSession(t, c, start, wants(0)), openSession(t, c, start, wants(0, 1))
	if id := openSession(t, c, start.Add(time.Minute), wants(0, 1, 2)); id != 0 {
		t.Fatalf("session %d takes a young one's slot", id)
	}
	// Both are used again, the older one first; after the age the small one has to go, but only for a larger one.
	later := start.Add(121 * time.Second)
	for _, id := range []int32{small, large} {
		if _, err := next(c, later, id, 1); err != nil {
			t.Fatal(err)
		}
	}
	if id := openSession(t, c, later, wants(0)); id != 0 {
		t.Error("one of the same size took its slot")
	}
	if id := openSession(t, c, later, wants(0, 1, 2)); id == 0 || c.find(small, "a") != nil || c.find(large, "a") == nil {
		t.Errorf("session %d; small %v, large %v", id, c.find(small, "a"), c.find(large, "a"))
	}
	// An idle one goes first, however large it is.
	if id := openSession(t, c, later.Add(121*time.Second), wants(0)); id == 0 || c.find(large, "a") != nil {
		t.Errorf("session %d; the idle one stays", id)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	name := Key{Topic: strings.Repeat("n", 1000)}
	long := func(n int32) (out []Want) {
		for p := range n {
			out = append(out, Want{Key: Key{Topic: name.Topic, Partition: p}})
		}
		return out
	}
	c := newCache(Options{Bytes: 10 * (partCost + 1000)})
	if id := openSession(t, c, start, long(11)); id != 0 {
		t.Error("a session larger than the cache")
	}
	id := openSession(t, c, start, long(6))
	if other := openSession(t, c, start, long(5)); other != 0 {
		t.Error("two sessions larger than the cache")
	}
	if _, err := c.Begin(start, Request{ID: id, Epoch: 1, Owner: "a", Wants: long(11)}); err != kerr.FetchSessionIDNotFound {
		t.Errorf("grown beyond the cache: %v", err)
	}
	if c.mu.bytes != 0 || len(c.mu.sessions) != 0 {
		t.Errorf("%d bytes in %d sessions are left", c.mu.bytes, len(c.mu.sessions))
	}
}

// A client that goes by its session knows what one that asks for everything knows: partitions, offsets, errors.
func TestIncrementalAnswersAddUpToFullOnes(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := newCache(Options{Slots: 1 + r.IntN(3)})
		var world, known [8]Outcome
		member := [8]bool{}
		id, epoch := int32(0), int32(0)
		for range 100 {
			for p := range world {
				if r.IntN(4) == 0 {
					world[p] = Outcome{High: r.Int64N(3), Stable: r.Int64N(3), Start: r.Int64N(2), Failed: r.IntN(6) == 0}
				}
			}
			req := Request{ID: id, Epoch: epoch, Owner: "a"}
			for p := range world {
				was := member[p]
				member[p] = r.IntN(3) > 0
				switch {
				case member[p] && (!was || id == 0 || r.IntN(3) == 0):
					req.Wants = append(req.Wants, wants(int32(p))...)
				case was && !member[p]:
					req.Forget = append(req.Forget, key(int32(p)))
				}
			}
			f, err := c.Begin(start, req)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			var out []Outcome
			for i, w := range f.Wants {
				o := world[w.Partition]
				o.Records = r.IntN(3) == 0
				out = append(out, o)
				if f.News(i, o) {
					known[w.Partition] = world[w.Partition]
				}
			}
			if id, err = f.End(start, out); err != nil {
				t.Fatal(err)
			}
			if epoch++; id == 0 {
				epoch = 0
			}
			for p := range world {
				if member[p] && known[p] != world[p] {
					t.Fatalf("seed %d: partition %d is %+v, the client believes %+v", seed, p, world[p], known[p])
				}
			}
			if id != 0 && r.IntN(15) == 0 { // as after a lost connection
				id, epoch = 0, 0
			}
		}
	}
}

package guard

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mainstemio/mainstem/internal/server/kafka/guard/guardtest"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const noBudget = 1 << 40

func newFiller(seed uint64) *guardtest.Filler {
	return guardtest.NewFiller(rand.New(rand.NewPCG(seed, 1)))
}

// eachVersion calls f for every key that has a shape in every version that kmsg knows.
func eachVersion(f func(key, version int16)) {
	for _, s := range parseShapes(shapes) {
		for v := int16(0); v <= kmsg.RequestForKey(s.key).MaxVersion(); v++ {
			f(s.key, v)
		}
	}
}

func TestEveryShapeIsTheOneThatKmsgWrites(t *testing.T) {
	eachVersion(func(key, version int16) {
		f := newFiller(uint64(key)<<16 | uint64(version))
		for i := range 200 {
			body := f.Request(key, version).AppendTo(nil)
			w := walker{rest: body, budget: noBudget}
			if err := w.walk(programs()[[2]int16{key, version}]); err != nil {
				t.Fatalf("%s v%d, request %d: %v\n%x", kmsg.Key(key).Name(), version, i, err, body)
			}
			if len(w.rest) != 0 {
				t.Fatalf("%s v%d, request %d: %d bytes were not walked\n%x", kmsg.Key(key).Name(), version, i, len(w.rest), body)
			}
		}
	})
}

func TestGuardRefusesEveryTruncation(t *testing.T) {
	eachVersion(func(key, version int16) {
		f := newFiller(uint64(key)<<16 | uint64(version))
		for range 20 {
			body := f.Request(key, version).AppendTo(nil)
			for n := range len(body) {
				if _, err := Check(key, version, body[:n], noBudget); !errors.Is(err, ErrMalformed) {
					t.Fatalf("%s v%d: %d of %d bytes: error %v", kmsg.Key(key).Name(), version, n, len(body), err)
				}
			}
		}
	})
}

func TestGuardCountsWhatKmsgAllocates(t *testing.T) {
	eachVersion(func(key, version int16) {
		f := newFiller(uint64(key)<<16 | uint64(version))
		f.Length = func() int { return f.IntN(12) }
		for range 30 {
			body := f.Request(key, version).AppendTo(nil)
			cost, err := Check(key, version, body, noBudget)
			if err != nil {
				t.Fatal(err)
			}
			got := guardtest.LeastAllocated(func() {
				req := kmsg.RequestForKey(key)
				req.SetVersion(version)
				if err := req.ReadFrom(body); err != nil {
					t.Fatalf("%s v%d: kmsg: %v", kmsg.Key(key).Name(), version, err)
				}
			})
			// A Go size class wastes at most an eighth, and the request itself is some hundred bytes.
			if limit := cost + cost/4 + 1024; got > limit && !guardtest.RaceDetector {
				t.Fatalf("%s v%d: decoding %d bytes took %d bytes of memory, counted %d", kmsg.Key(key).Name(), version, len(body), got, cost)
			}
		}
	})
}

func TestGuardRefusesHostileCounts(t *testing.T) {
	metadata := binary.BigEndian.AppendUint32(nil, 1e9) // Metadata v1: 10^9 topics
	flexible := binary.AppendUvarint(nil, 1e9)          // the same in v9
	tags := binary.AppendUvarint([]byte{2, 'x', 2, '1'}, 1<<28)
	negative := []byte{0xff, 0xff, 0xff, 0xfe}
	endless := slices.Repeat([]byte{0xff}, 32)
	for _, c := range []struct {
		name         string
		key, version int16
		body         []byte
		want         error
	}{
		{"10^9 elements", 3, 1, metadata, ErrMalformed},
		{"10^9 elements, compact", 3, 9, flexible, ErrMalformed},
		{"2^28 tags", 18, 3, tags, ErrMalformed},
		{"array length -2", 3, 1, negative, ErrMalformed},
		{"endless varint", 3, 9, endless, ErrMalformed},
		{"string length -1 where null is not allowed", 16, 4, []byte{2, 0}, ErrMalformed},
		{"unknown key", 999, 0, nil, ErrMalformed},
		{"more memory than the budget", 19, 2, manyTopics(100_000), ErrTooCostly},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Check(c.key, c.version, c.body, 1<<20); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// manyTopics is CreateTopics v2 with n topics as small as can be.
func manyTopics(n int) []byte {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.Version = make([]kmsg.CreateTopicsRequestTopic, n), 2
	return req.AppendTo(nil)
}

func TestGuardDoesNotAllocate(t *testing.T) {
	body := newFiller(1).Request(1, 16).AppendTo(nil)
	large := manyTopics(1000)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Check(1, 16, body, noBudget); err != nil {
			t.Fatal(err)
		}
		if _, err := Check(19, 2, large, noBudget); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzGuard: what the guard accepts, kmsg decodes or refuses in the memory that the guard counted; nothing else reaches kmsg.
func FuzzGuard(f *testing.F) {
	eachVersion(func(key, version int16) {
		f.Add(key, version, newFiller(7).Request(key, version).AppendTo(nil))
	})
	const budget = 1 << 20
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		cost, err := Check(key, version, body, budget)
		if err != nil {
			return
		}
		if cost > budget {
			t.Fatalf("cost %d over budget", cost)
		}
		req := kmsg.RequestForKey(key)
		req.SetVersion(version)
		// kmsg may still refuse: a null where this version has none.
		got := guardtest.LeastAllocated(func() { _ = req.ReadFrom(body) })
		if got > cost+cost/4+1<<16 && !guardtest.RaceDetector {
			t.Fatalf("%s v%d: decoding took %d bytes, counted %d", kmsg.Key(key).Name(), version, got, cost)
		}
	})
}

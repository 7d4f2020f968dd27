package cleanup

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/mainstemio/mainstem/record"
)

// three sealed segments of 100, 200 and 300 bytes and an active one of 50.
func sampleSegments() []Segment {
	return []Segment{{0, 10, 100, false}, {10, 20, 200, false}, {20, 30, 300, false}, {30, 35, 50, true}}
}

// times are the highest timestamps of the sample by base, and first ones 50 before.
type times map[record.Offset]record.Timestamp

func (a times) LastTime(base record.Offset) (record.Timestamp, error)  { return a[base], nil }
func (a times) FirstTime(base record.Offset) (record.Timestamp, error) { return a[base] - 50, nil }

func TestRetain(t *testing.T) {
	ages := times{0: 100, 10: 200, 20: 150, 30: 300}
	tests := []struct {
		about  string
		limits Limits
		now    record.Timestamp
		high   record.Offset
		want   record.Offset
	}{
		{"no bounds", Limits{-1, -1}, 1 << 40, 35, 0},
		{"exactly as old as the limit", Limits{50, -1}, 150, 35, 0},
		{"a millisecond older", Limits{50, -1}, 151, 35, 10},
		{"a younger one protects what is behind it", Limits{50, -1}, 240, 35, 10},
		{"all sealed ones", Limits{50, -1}, 251, 35, 30},
		{"all, the active one too", Limits{50, -1}, 351, 35, 35},
		{"not beyond the high watermark", Limits{50, -1}, 351, 25, 20},
		{"size to spare", Limits{-1, 650}, 0, 35, 0},
		{"less than the first to spare", Limits{-1, 551}, 0, 35, 0},
		{"without the first it has the limit", Limits{-1, 550}, 0, 35, 10},
		{"the active one alone", Limits{-1, 50}, 0, 35, 30},
		{"nothing", Limits{-1, 0}, 0, 35, 35},
		{"by age first, then by size", Limits{50, 350}, 151, 35, 20},
	}
	for _, test := range tests {
		got, err := Retain(sampleSegments(), test.limits, test.now, test.high, ages.LastTime)
		if err != nil || got != test.want {
			t.Errorf("%s: from %d on stays, want %d; %v", test.about, got, test.want, err)
		}
	}
	empty := []Segment{{7, 7, 0, true}}
	if got, _ := Retain(empty, Limits{0, 0}, 1<<40, 7, ages.LastTime); got != 7 {
		t.Errorf("an empty log starts at %d", got)
	}
}

func TestCompactable(t *testing.T) {
	ages := times{0: 100, 10: 200, 20: 300, 30: 400}
	none := Policy{DirtyRatio: 0.5, MaxLag: math.MaxInt64}
	tests := []struct {
		about        string
		policy       Policy
		clean, bound record.Offset
		now          record.Timestamp
		want         string
	}{
		{"everything sealed", none, 0, 35, 0, "0 0 30 due"},
		{"bounded", none, 0, 29, 0, "0 0 20 due"},
		{"nothing below the bound", none, 0, 9, 0, "0 0 0"},
		{"half is dirty", none, 20, 35, 0, "0 20 30"},
		{"more than half is", none, 10, 35, 0, "0 10 30 due"},
		{"cleaned up to within a segment", none, 15, 35, 0, "0 15 30 due"},
		{"all is clean", none, 30, 35, 0, "0 30 30"},
		{"too young", Policy{0, 100, math.MaxInt64}, 0, 35, 299, "0 0 10 due"},
		{"old enough", Policy{0, 100, math.MaxInt64}, 0, 35, 300, "0 0 20 due"},
		{"dirty for too long", Policy{0.9, 0, 100}, 20, 35, 351, "0 20 30 due"},
		{"not yet", Policy{0.9, 0, 100}, 20, 35, 350, "0 20 30"},
		{"at once", Policy{DirtyRatio: 0, MaxLag: math.MaxInt64}, 20, 35, 0, "0 20 30 due"},
		{"never by share", Policy{DirtyRatio: 1, MaxLag: math.MaxInt64}, 0, 35, 0, "0 0 30"},
	}
	for _, test := range tests {
		p, err := Compactable(sampleSegments(), test.policy, Progress{test.clean, test.bound, test.now}, ages)
		got := fmt.Sprint(p.Base, p.Dirty, p.End)
		if p.Due {
			got += " due"
		}
		if err != nil || got != test.want {
			t.Errorf("%s: %s, want %s; %v", test.about, got, test.want, err)
		}
	}
}

func TestGroups(t *testing.T) {
	tests := []struct {
		end  record.Offset
		max  int64
		want []Group
	}{
		{30, 300, []Group{{0, 20}, {20, 30}}},
		{30, 600, []Group{{0, 30}}},
		{30, 1, []Group{{0, 10}, {10, 20}, {20, 30}}},
		{15, 600, []Group{{0, 20}}},
		{0, 600, nil},
	}
	for _, test := range tests {
		if got := Groups(sampleSegments(), test.end, test.max); !slices.Equal(got, test.want) {
			t.Errorf("below %d, %d bytes: %v, want %v", test.end, test.max, got, test.want)
		}
	}
	wide := []Segment{{0, 1 << 31, 1, false}, {1 << 31, 1<<31 + 5, 1, false}}
	if got := Groups(wide, 1<<40, 100); len(got) != 2 {
		t.Errorf("offsets that no segment can hold are merged: %v", got)
	}
}

func TestRoll(t *testing.T) {
	for _, test := range []struct {
		first, last, born, now record.Timestamp
		want                   bool
	}{
		{1000, 1100, 5000, 5100, false},
		{1000, 1101, 5000, 5000, true},  // its records span more
		{-1, 9000, 5000, 5000, false},   // no times
		{1000, 1000, 5000, 5101, true},  // it is older
		{9000, 1000, 5000, 5000, false}, // times that fall
	} {
		if got := Roll(test.first, test.last, test.born, test.now, 100); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestOffsetsAgainstAMap(t *testing.T) {
	m, want := newOffsets(500, 16<<16), map[string]record.Offset{}
	for i := range 100_000 {
		key := fmt.Sprint("key ", i%40_000)
		if !m.put(m.hash([]byte(key)), 500+record.Offset(i)) {
			t.Fatalf("full at %d keys", m.used)
		}
		want[key] = 500 + record.Offset(i)
	}
	if m.used != len(want) {
		t.Errorf("%d keys, want %d", m.used, len(want))
	}
	for key, o := range want {
		if got, ok := m.get(m.hash([]byte(key))); !ok || got != o {
			t.Fatalf("%s at %d, %v, want %d", key, got, ok, o)
		}
	}
	if _, ok := m.get(m.hash([]byte("none"))); ok {
		t.Error("an unknown key is found")
	}
	full := 0
	for i := range 100_000 {
		if !m.put(m.hash(fmt.Append(nil, "other ", i)), 500) {
			full++
		}
	}
	if got := len(m.slots) * int(unsafe.Sizeof(slot{})); got > 16<<16 || full == 0 {
		t.Errorf("%d bytes, %d keys refused", got, full)
	}
	if m.put(m.hash([]byte("far")), 500+math.MaxUint32) {
		t.Error("an offset too far was taken")
	}
}

package flat

import (
	"math/big"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/mainstemio/mainstem/row"
	"pgregory.net/rapid"
)

type inner struct {
	A    int8
	Text string
	note string
	D    row.Decimal
}

type everything struct {
	Flag    bool
	Small   int16
	Real    float64
	Name    string
	Raw     []byte
	Numbers []int64
	Words   []string
	Inners  []inner
	Fixed   [3]inner
	Plain   [5]uint16
	Nested  [][]string
	To      *inner
	Num     *int32
	None    struct{}
	Nothing []struct{}
	At      time.Time
	Tail    uint8
}

func roundTrip[T any](t *testing.T, c *Codec[T], v T) T {
	t.Helper()
	before := []byte("before")
	b := c.Append(before, &v)
	var out T
	rest := c.plan.read(b[len(before):], unsafe.Pointer(&out))
	if len(rest) != 0 {
		t.Fatalf("%d bytes are left of %d", len(rest), len(b))
	}
	return out
}

func of[T any](t *testing.T) *Codec[T] {
	t.Helper()
	c, ok := Of[T]()
	if !ok {
		t.Fatalf("%v has no flat form", reflect.TypeFor[T]())
	}
	return c
}

var same = cmp.AllowUnexported(inner{}, row.Decimal{}, everything{})

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	c := of[everything](t)
	inners := rapid.Custom(func(t *rapid.T) inner {
		d, err := row.ParseDecimal(rapid.StringMatching(`-?[1-9][0-9]{0,30}(\.[0-9]{1,4})?`).Draw(t, "decimal"))
		if err != nil {
			t.Fatal(err)
		}
		return inner{A: rapid.Int8().Draw(t, "A"), Text: rapid.String().Draw(t, "text"), note: rapid.String().Draw(t, "note"), D: d}
	})
	zones := []*time.Location{time.UTC, time.FixedZone("", 7*3600), time.FixedZone("", -1800)}
	rapid.Check(t, func(rt *rapid.T) {
		v := everything{
			Flag: rapid.Bool().Draw(rt, "flag"), Small: rapid.Int16().Draw(rt, "small"), Real: rapid.Float64().Draw(rt, "real"),
			Name: rapid.String().Draw(rt, "name"), Raw: rapid.SliceOf(rapid.Byte()).Draw(rt, "raw"),
			Numbers: rapid.SliceOf(rapid.Int64()).Draw(rt, "numbers"), Words: rapid.SliceOf(rapid.String()).Draw(rt, "words"),
			Inners: rapid.SliceOf(inners).Draw(rt, "inners"), Nested: rapid.SliceOf(rapid.SliceOf(rapid.String())).Draw(rt, "nested"),
			To: rapid.Ptr(inners, true).Draw(rt, "to"), Num: rapid.Ptr(rapid.Int32(), true).Draw(rt, "num"), Tail: rapid.Uint8().Draw(rt, "tail"),
			At: time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(rt, "at"), rapid.Int64Range(0, 999999999).Draw(rt, "ns")).In(rapid.SampledFrom(zones).Draw(rt, "zone")),
		}
		for i := range v.Fixed {
			v.Fixed[i], v.Plain[i] = inners.Draw(rt, "fixed"), rapid.Uint16().Draw(rt, "plain")
		}
		if rapid.Bool().Draw(rt, "nothing") {
			v.Nothing = make([]struct{}, 3)
		}
		if diff := cmp.Diff(v, roundTrip(t, c, v), same); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestNilAndEmptySlicesStayWhatTheyAre(t *testing.T) {
	c := of[everything](t)
	got := roundTrip(t, c, everything{Raw: []byte{}, Numbers: []int64{}, Inners: []inner{}})
	if got.Raw == nil || got.Numbers == nil || got.Inners == nil || got.Words != nil || got.Nested != nil {
		t.Errorf("%+v", got)
	}
}

func TestTimesAreEqual(t *testing.T) {
	c := of[time.Time](t)
	for _, at := range []time.Time{{}, time.Unix(5, 6).UTC(), time.Date(9999, 1, 2, 3, 4, 5, 6, time.Local)} {
		if got := roundTrip(t, c, at); got != at {
			t.Errorf("%v became %v", at, got)
		}
	}
}

func TestBytesReadDoNotReachIntoTheirNeighbours(t *testing.T) {
	c := of[struct {
		Raw  []byte
		Name string
	}](t)
	got := roundTrip(t, c, struct {
		Raw  []byte
		Name string
	}{[]byte("raw"), "name"})
	_ = append(got.Raw, "!!!!"...)
	if got.Name != "name" {
		t.Errorf("the name is %q now", got.Name)
	}
}

func TestCopied(t *testing.T) {
	for got, want := range map[bool]bool{of[int64](t).Copied(): true} {
		if got != want {
			t.Error(got)
		}
	}
	if of[inner](t).Copied() || of[[]inner](t).Copied() || of[*string](t).Copied() || !of[[]int64](t).Copied() {
		t.Error("wrong about strings")
	}
}

type list struct {
	Next *list
}

type hidden struct{ p *int }

var _ = hidden{}.p

func TestTypesWithoutAFlatForm(t *testing.T) {
	for name, ok := range map[string]bool{
		"map": is[map[string]int](), "interface": is[any](), "function": is[func()](), "channel": is[chan int](), "list": is[list](),
		"hidden pointer": is[hidden](), "map in a slice": is[[]struct{ M map[int]int }](), "error behind a pointer": is[*error](),
	} {
		if ok {
			t.Errorf("%s has one", name)
		}
	}
	if !is[big.Int]() || !is[struct{ A, B *string }]() {
		t.Error("a big.Int or a repeated type has none")
	}
}

func is[T any]() bool {
	_, ok := Of[T]()
	return ok
}

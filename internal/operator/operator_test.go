package operator

import (
	"errors"
	"testing"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
)

// The hashes are those of Kafka's UtilsTest.testMurmur2.
func TestKeysGoWhereKafkaPutsThem(t *testing.T) {
	for key, hash := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != hash {
			t.Errorf("murmur2(%q) is %d, want %d", key, got, hash)
		}
		for _, n := range []int32{1, 7, 100} {
			if got, want := Partition([]byte(key), n), (hash&0x7fffffff)%n; got != want {
				t.Errorf("partition of %q of %d is %d, want %d", key, n, got, want)
			}
		}
	}
}

type option struct{ set bool }

func (o option) IsNull() bool { return !o.set }

func TestWhichTypesHoldNull(t *testing.T) {
	n := 5
	checkNull(t, "pointer", nil, &n)
	checkNull(t, "bytes", nil, []byte{})
	checkNull(t, "own method", option{}, option{set: true})
	rows := NullTest[row.Row]()
	if n := testing.AllocsPerRun(10, func() { _ = rows(row.Row("x")) }); n > 0 || !rows("") || rows("x") {
		t.Errorf("rows: %v allocations, %t, %t", n, rows(""), rows("x"))
	}
	if NullTest[string]() != nil || NullTest[[]string]() != nil || NullTest[map[string]int]() != nil || NullTest[any]() != nil {
		t.Error("a type that has no null has a test for it")
	}
}

func checkNull[T any](t *testing.T, name string, null, value T) {
	t.Helper()
	test := NullTest[T]()
	if test == nil || !test(null) || test(value) {
		t.Errorf("%s: null is not told from a value", name)
	}
}

// uncomparable is a serde whose values can't be compared.
type uncomparable struct {
	serde.Serde[string]
	_ []int
}

func TestSerdesAreTheSameWhenTheyAreEqual(t *testing.T) {
	json := serde.JSON[[]int]()
	if !Same(json, json) || Same(json, serde.JSON[[]int]()) || Same(json, nil) || Same[[]int](nil, nil) {
		t.Error("made serdes: an instance is the same as itself only")
	}
	if !Same(serde.String, serde.String) || !Same(serde.Nullable(serde.String), serde.Nullable(serde.String)) {
		t.Error("serdes without content are the same")
	}
	odd := uncomparable{Serde: serde.String}
	if Same[string](odd, odd) || Same[string](odd, serde.String) {
		t.Error("a serde that can't be compared is the same as none")
	}
	if Same(serde.Nullable[string](odd), serde.Nullable[string](odd)) {
		t.Error("a serde around one that can't be compared is the same as none")
	}
}

func TestArenaKeepsWhatItGaveOut(t *testing.T) {
	var a Arena
	var cuts [][]byte
	for i := range 100 {
		b, err := Encode(&a, serde.Bytes, make([]byte, arenaSize/10+i))
		if err != nil {
			t.Fatal(err)
		}
		b[0], b[len(b)-1] = byte(i), byte(i)
		cuts = append(cuts, b)
	}
	for i, b := range cuts {
		if len(b) != arenaSize/10+i || b[0] != byte(i) || b[len(b)-1] != byte(i) || cap(b) != len(b) {
			t.Fatalf("cut %d was changed", i)
		}
	}
	if b, _ := Encode(&a, serde.String, ""); b == nil {
		t.Error("an empty value looks like null")
	}
	if b, _ := Encode(&a, serde.Bytes, nil); b != nil {
		t.Error("null looks like a value")
	}
	a.Reset()
	if len(a.buf) != 0 || cap(a.buf) > maxIdleArena {
		t.Errorf("after Reset: length %d, capacity %d", len(a.buf), cap(a.buf))
	}
}

// wrong is a receiver of other types than anything sends.
type wrong struct{}

func TestWiringChecksTypes(t *testing.T) {
	specs := map[string]Spec{
		"filter":      Filter[string, string]{},
		"peek":        Peek[string, string]{},
		"map values":  MapValues[string, string, int]{},
		"map":         Map[string, string, int, int]{},
		"select key":  SelectKey[string, string, int]{},
		"nullable":    Nullable[string, string]{},
		"flat map":    FlatMap[string, string, int, int]{},
		"flat values": FlatMapValues[string, string, int]{},
		"merge":       Merge[string, string]{},
		"split":       Split[string, string]{},
		"updates":     ToStream[string, string]{},
	}
	for name, spec := range specs {
		if _, err := spec.Instance(&Site{Env: &Env{}, Node: name, Children: []any{wrong{}}}); err == nil {
			t.Errorf("%s: a child of the wrong type is accepted", name)
		}
	}
	if _, err := (Source[string, string]{Key: serde.String, Value: serde.String}).Feeder(&Site{Env: &Env{}, Children: []any{wrong{}}}); err == nil {
		t.Error("source: a child of the wrong type is accepted")
	}
	x := Repartition[string, string]{Key: serde.String}.Exchange(1)
	if _, err := x.Inbox(&Site{Env: &Env{}, Children: []any{wrong{}}}); err == nil {
		t.Error("inbox: a child of the wrong type is accepted")
	}
	if _, err := x.Sender(&Site{Env: &Env{}, Children: []any{wrong{}}}); err == nil {
		t.Error("sender: a child is accepted")
	}
}

func TestABugIsNotTakenForABadRecord(t *testing.T) {
	// A panic outside of user's functions must not be caught: here that of a receiver behind the filter.
	s := &Site{Env: &Env{}, Node: "f", Children: []any{Receiver[string, string](broken{})}}
	in, err := Filter[string, string]{Pass: func(string, string) bool { return true }}.Instance(s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
	}()
	b := &Batch[string, string]{Keys: []string{"k"}, Values: []string{"v"}}
	b.Rows = Rows{Sel: FirstRows(1), Timestamps: []record.Timestamp{1}, Origins: []Origin{{}}}
	err = in.(Receiver[string, string]).Receive(b)
	t.Errorf("returned %v", err)
}

type broken struct{}

func (broken) Receive(*Batch[string, string]) error { panic(errors.New("a bug")) }

package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

const testDir = "/data/orders-0"

func options(fs vfs.FS) Options {
	return Options{FS: fs, Dir: testDir, SegmentBytes: 20 << 10, CacheBytes: 16 << 10}
}

func create(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Create(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func reopen(t testing.TB, o Options, m Mark) *Log {
	t.Helper()
	l, err := Open(o, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// timeOf is the timestamp of the record at o: rising, but with a step back every 10 records.
func timeOf(o record.Offset) record.Timestamp {
	return record.Timestamp(1_000_000 + o*10 - (o%10)*15)
}

// makeBatch makes a batch of n records at offset o; the content follows from the offsets.
func makeBatch(o record.Offset, n int) []byte {
	var b batch.Builder
	b.Reset(batch.Params{ProducerID: -1, Codec: batch.Codec(o % 5)})
	for i := range record.Offset(n) {
		value := bytes.Repeat(fmt.Appendf(nil, "record %d;", o+i), int((o+i)*13%30)+1)
		b.Append(timeOf(o+i), fmt.Appendf(nil, "key %d", o+i), value, nil)
	}
	v := batch.View(b.AppendTo(nil))
	v.SetBaseOffset(o)
	v.SetLeaderEpoch(int32(o / 200))
	return v
}

// sizeAt is the number of records of the batch at o in what fill appends.
func sizeAt(o record.Offset) int { return int(o*7%9) + 1 }

// fill appends batches until End is at least end and returns everything appended.
func fill(t testing.TB, l *Log, end record.Offset) []byte {
	t.Helper()
	var all []byte
	for l.End() < end {
		b := makeBatch(l.End(), sizeAt(l.End()))
		if err := l.Append(b); err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// content is what fill appends between two offsets.
func content(from, to record.Offset) []byte {
	var all []byte
	for from < to {
		n := sizeAt(from)
		all = append(all, makeBatch(from, n)...)
		from += record.Offset(n)
	}
	return all
}

// readAll reads from an offset to the end of the log in pieces of maxBytes.
func readAll(l *Log, from record.Offset, maxBytes int) ([]byte, error) {
	var all []byte
	for from < l.End() {
		b, err := l.Read(from, l.End(), maxBytes)
		if err != nil {
			return all, err
		}
		if len(b) == 0 {
			return all, fmt.Errorf("nothing at %d, the log ends at %d", from, l.End())
		}
		all = append(all, b...)
		for len(b) > 0 {
			v, rest, err := batch.Next(b)
			if err != nil {
				return all, err
			}
			from, b = v.LastOffset()+1, rest
		}
	}
	return all, nil
}

func mustReadAll(t testing.TB, l *Log, from record.Offset, want []byte) {
	t.Helper()
	for _, maxBytes := range []int{1, 1500, 1 << 20} {
		got, err := readAll(l, from, maxBytes)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("reading from %d by %d: %d bytes, expected %d: %v", from, maxBytes, len(got), len(want), err)
		}
	}
}

func TestWhatIsAppendedIsRead(t *testing.T) {
	for _, cache := range []int{-1, 500, 16 << 10, 1 << 20} {
		t.Run(fmt.Sprintf("cache %d", cache), func(t *testing.T) {
			o := options(vfs.NewCrashable())
			o.CacheBytes = cache
			l := create(t, o)
			want := fill(t, l, 1500)
			mustReadAll(t, l, 0, want)
			if l.Size() != int64(len(want)) {
				t.Fatalf("size %d, appended %d", l.Size(), len(want))
			}
			if n := len(l.mu.segments); n < 5 {
				t.Fatalf("%d segments: the test wants several", n)
			}
			if err := l.Sync(); err != nil {
				t.Fatal(err)
			}
			m := l.Mark()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = reopen(t, o, m)
			if l.Mark() != m || l.Size() != int64(len(want)) || l.mu.active.file != nil {
				t.Fatalf("mark %+v, expected %+v; size %d", l.Mark(), m, l.Size())
			}
			mustReadAll(t, l, 0, want)
			mustReadAll(t, l, 0, append(want, fill(t, l, l.End()+200)...))
		})
	}
}

func TestReadReturnsTheBatchThatHoldsTheOffset(t *testing.T) {
	for _, cache := range []int{-1, 1 << 20} {
		o := options(vfs.NewCrashable())
		o.CacheBytes = cache
		l := create(t, o)
		fill(t, l, 500)
		for base := record.Offset(0); base < l.End(); {
			n := record.Offset(sizeAt(base))
			for from := base; from < base+n; from++ {
				b, err := l.Read(from, l.End(), 1)
				if err != nil || !bytes.Equal(b, makeBatch(base, int(n))) {
					t.Fatalf("read at %d: %d bytes: %v", from, len(b), err)
				}
			}
			base += n
		}
	}
}

func TestReadIsBoundedByBelowAndMaxBytes(t *testing.T) {
	for _, cache := range []int{-1, 1 << 20} {
		o := options(vfs.NewCrashable())
		o.CacheBytes, o.SegmentBytes = cache, 1<<20
		l := create(t, o)
		fill(t, l, 300)
		first := makeBatch(0, sizeAt(0))
		second := record.Offset(sizeAt(0))
		two := content(0, second+1)
		for _, tc := range []struct {
			name        string
			from, below record.Offset
			maxBytes    int
			want        []byte
		}{
			{"below stands behind the first batch", 0, second, 1 << 20, first},
			{"below stands in the second batch", 0, second + 1, 1 << 20, two},
			{"from at below", 5, 5, 1 << 20, nil},
			{"from above below", 6, 5, 1 << 20, nil},
			{"at the end", l.End(), l.End() + 10, 1 << 20, nil},
			{"below above the end", 0, l.End() + 10, 1 << 20, content(0, l.End())},
			{"exactly two batches fit", 0, l.End(), len(two), two},
			{"one byte less", 0, l.End(), len(two) - 1, first},
		} {
			got, err := l.Read(tc.from, tc.below, tc.maxBytes)
			if err != nil || !bytes.Equal(got, tc.want) {
				t.Errorf("cache %d, %s: %d bytes, expected %d: %v", cache, tc.name, len(got), len(tc.want), err)
			}
			var lent []byte
			got, err = l.ReadTo(func(n int) []byte { lent = bytes.Repeat([]byte{0xee}, n); return lent }, tc.from, tc.below, tc.maxBytes)
			if err != nil || !bytes.Equal(got, tc.want) {
				t.Errorf("cache %d, %s, memory of the caller's: %d bytes, expected %d: %v", cache, tc.name, len(got), len(tc.want), err)
			}
			if len(lent) > 0 && len(got) > 0 && &lent[0] != &got[0] {
				t.Errorf("cache %d, %s: the caller's memory was not used", cache, tc.name)
			}
		}
		if _, err := l.Read(l.End()+1, l.End()+5, 1); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("above the end: %v", err)
		}
		if _, err := l.Read(-1, l.End(), 1); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("below the start: %v", err)
		}
	}
}

func TestAppendRefusesWhatDoesNotFollow(t *testing.T) {
	l := create(t, options(vfs.NewCrashable()))
	fill(t, l, 20)
	before := l.Mark()
	end := l.End()
	good := makeBatch(end, 3)
	for name, b := range map[string][]byte{
		"a hole":                        makeBatch(end+1, 2),
		"an overlap":                    makeBatch(end-1, 2),
		"a batch cut short":             good[:len(good)-1],
		"a second that does not follow": append(bytes.Clone(good), makeBatch(end+4, 1)...),
	} {
		if err := l.Append(b); !errors.Is(err, batch.ErrCorrupt) || l.Mark() != before {
			t.Errorf("%s: mark %+v, %v", name, l.Mark(), err)
		}
	}
	if err := l.Append(nil); err != nil {
		t.Error(err)
	}
	if err := l.Append(good); err != nil {
		t.Error(err)
	}
}

func TestSeveralBatchesAreOneWrite(t *testing.T) {
	var ops []string
	fs := vfs.OnOp(vfs.NewCrashable(), func(op, _ string) { ops = append(ops, op) })
	l := create(t, options(fs))
	ops = nil
	if err := l.Append(content(0, 100)); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(ops) != "[write-at]" {
		t.Fatal(ops)
	}
	mustReadAll(t, l, 0, content(0, 100))
}

func TestReadersAtTheTailTouchNoFile(t *testing.T) {
	ops := 0
	fs := vfs.OnOp(vfs.NewCrashable(), func(string, string) { ops++ })
	l := create(t, options(fs))
	fill(t, l, 1000)
	tail := l.End()
	fill(t, l, tail+60)
	ops = 0
	mustReadAll(t, l, tail, content(tail, l.End()))
	if ops != 0 {
		t.Fatalf("%d operations", ops)
	}
	if l.mu.cache.size > 16<<10 {
		t.Fatalf("cache holds %d bytes", l.mu.cache.size)
	}
}

func TestCachedBytesNeverChange(t *testing.T) {
	l := create(t, options(vfs.NewCrashable()))
	b := makeBatch(0, 5)
	if err := l.Append(b); err != nil {
		t.Fatal(err)
	}
	got, err := l.Read(0, 5, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Clone(got)
	clear(b) // the caller's own
	fill(t, l, 1000)
	if !bytes.Equal(got, want) {
		t.Fatal("bytes handed out have changed")
	}
}

func TestSyncOfACleanLogDoesNothing(t *testing.T) {
	ops := 0
	fs := vfs.OnOp(vfs.NewCrashable(), func(string, string) { ops++ })
	l := create(t, options(fs))
	fill(t, l, 300)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	ops = 0
	if err := l.Sync(); err != nil || ops != 0 {
		t.Fatalf("%d operations: %v", ops, err)
	}
	fill(t, l, l.End()+1)
	ops = 0
	if err := l.Sync(); err != nil || ops != 1 {
		t.Fatalf("%d operations, expected one sync: %v", ops, err)
	}
}

func TestCreateRefusesADirectoryWithSegments(t *testing.T) {
	fs := vfs.NewCrashable()
	create(t, options(fs))
	if _, err := Create(options(fs)); err == nil {
		t.Fatal("created over a log")
	}
}

func TestRemoveDeletesTheDirectory(t *testing.T) {
	fs := vfs.NewCrashable()
	l := create(t, options(fs))
	fill(t, l, 300)
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(testDir); err == nil {
		t.Fatal("the directory is still there")
	}
	if _, err := l.Read(0, 10, 1); !errors.Is(err, errClosed) {
		t.Fatalf("read: %v", err)
	}
	if err := l.Append(makeBatch(l.End(), 1)); !errors.Is(err, errClosed) {
		t.Fatalf("append: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatalf("second close: %v", err)
	}
}

func TestALogThatRestsIsReadFromItsFiles(t *testing.T) {
	l := create(t, options(vfs.NewCrashable()))
	want := fill(t, l, 50)
	read := func() {
		t.Helper()
		got, err := l.Read(0, l.End(), 1<<20)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, error %v; want %d bytes", len(got), err, len(want))
		}
	}
	l.Rest()
	if l.mu.cache.size == 0 {
		t.Error("a log that was written since forgets what its readers want next")
	}
	l.Rest()
	if l.mu.cache.size > 0 || len(l.mu.cache.chunks) > 0 {
		t.Errorf("%d bytes are kept", l.mu.cache.size)
	}
	read()
	want = append(want, fill(t, l, 60)...)
	if read(); l.mu.cache.size == 0 {
		t.Error("what comes then is not kept")
	}
}

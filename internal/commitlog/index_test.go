package commitlog

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestADamagedOrMissingIndexIsRebuilt(t *testing.T) {
	o := options(vfs.NewCrashable())
	l := create(t, o)
	want := fill(t, l, 1000)
	m := l.Mark()
	all := readFiles(t, o.FS)
	name := segmentName(0, indexSuffix)
	good := all[name]
	if len(good) == 0 {
		t.Fatal("no index")
	}
	check := func(where string) {
		t.Helper()
		o.FS = with(t, all)
		l := reopen(t, o, m)
		if got, err := readAll(l, 0, 3000); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s: %v", where, err)
		}
		if x := l.mu.indexes.get(l.mu.segments[0]); x != nil && !x.rebuilt {
			t.Fatalf("%s: the index was trusted", where)
		}
	}
	for pos := range good {
		bad := bytes.Clone(good)
		bad[pos] ^= 0x10
		all[name] = bad
		check(fmt.Sprintf("byte %d", pos))
	}
	for _, n := range []int{0, 10, len(good) - 1} {
		all[name] = good[:n]
		check(fmt.Sprintf("cut to %d", n))
	}
	delete(all, name)
	check("missing")
	// An index with a right CRC that points between batches.
	x, ok := decodeIndex(good)
	if !ok {
		t.Fatal("the good index does not decode")
	}
	for i := range x.entries {
		x.entries[i].position += 3
	}
	all[name] = x.encode(x.end, x.size)
	check("wrong positions")
}

func TestGoldenBytes(t *testing.T) {
	x := newIndex(1000)
	for o, position := record.Offset(1000), int64(0); o < 1300; {
		b := batch.View(makeBatch(o, 30))
		x.add(b, position)
		position += int64(len(b))
		o += 30
	}
	fs := vfs.NewCrashable()
	l := create(t, options(fs))
	if err := l.writeOffset(startName, startMagic, 1234); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{
		"index": x.encode(1300, 99_999),
		"start": readFiles(t, fs)[startName],
	} {
		path := filepath.Join("testdata", name+".hex")
		if *update {
			if err := os.WriteFile(path, []byte(hex.Dump(got)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if hex.Dump(got) != string(want) {
			t.Errorf("the format of %s changed: raise its version\n%s", name, hex.Dump(got))
		}
	}
}

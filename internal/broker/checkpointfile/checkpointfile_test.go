package checkpointfile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// Bytes of the file as docs/format/broker.md describes it. A change here is a change of the format.
func TestGoldenCheckpointFile(t *testing.T) {
	if got := hex.EncodeToString(Seal([]byte("body"))); got != "4d53424b0002"+"a57d897a"+"0000000000000004"+"626f6479" {
		t.Errorf("checkpoint file: %s", got)
	}
}

func TestOpenFindsEveryFlippedBit(t *testing.T) {
	sealed := Seal([]byte("some body"))
	for i := range sealed {
		for bit := range 8 {
			b := bytes.Clone(sealed)
			b[i] ^= 1 << bit
			if _, _, err := Open(b); err == nil {
				t.Errorf("bit %d of byte %d is not noticed", bit, i)
			}
		}
	}
	if _, _, err := Open(sealed[:5]); !errors.Is(err, ErrDamaged) {
		t.Errorf("a short file: %v", err)
	}
	for _, name := range []string{"checkpoint-", "checkpoint-0000", "checkpoint-00000000000000zz", "checkpoint-0000000000000001.old", "x"} {
		if n, ok := Parse(name); ok {
			t.Errorf("%s is taken for %+v", name, n)
		}
	}
	for _, want := range []Name{{LSN: 77}, {LSN: 77, Copy: true}, {Temp: true}} {
		if n, ok := Parse(want.String()); !ok || n != want {
			t.Errorf("the name of %+v is read as %+v", want, n)
		}
	}
}

const dir = "broker"

func written(t *testing.T) vfs.FS {
	t.Helper()
	files := vfs.NewCrashable()
	if err := files.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for lsn, body := range []string{"first", "second"} {
		if err := Write(files, dir, uint64(lsn+1), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// harm changes a byte of a file.
func harm(t *testing.T, files vfs.FS, n Name) {
	t.Helper()
	sealed := Seal([]byte("second"))
	sealed[len(sealed)-1] ^= 1
	if err := writeFile(files, files.PathJoin(dir, n.String()), sealed); err != nil {
		t.Fatal(err)
	}
}

func TestTheNewestCheckpointIsRead(t *testing.T) {
	files := written(t)
	c, found, err := Read(files, dir)
	if err != nil || !found || c.LSN != 2 || string(c.Body) != "second" || c.Damaged != nil {
		t.Errorf("%+v, %v, %v", c, found, err)
	}
	names, err := files.List(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("files %v, %v: older ones should be gone", names, err)
	}
	if _, found, err := Read(vfs.NewCrashable(), ""); found || err != nil {
		t.Errorf("an empty directory: %v, %v", found, err)
	}
}

func TestACopyMakesGoodADamagedOrLostCheckpoint(t *testing.T) {
	first, second := Name{LSN: 2}, Name{LSN: 2, Copy: true}
	for name, hurt := range map[string]func(vfs.FS){
		"damaged": func(files vfs.FS) { harm(t, files, first) },
		"lost": func(files vfs.FS) {
			if err := files.Remove(files.PathJoin(dir, first.String())); err != nil {
				t.Fatal(err)
			}
		},
	} {
		files := written(t)
		hurt(files)
		c, found, err := Read(files, dir)
		if err != nil || !found || string(c.Body) != "second" || c.Damaged == nil {
			t.Errorf("%s: %+v, %v, %v", name, c, found, err)
		}
		harm(t, files, second)
		if _, _, err := Read(files, dir); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s, and the copy damaged: %v", name, err)
		}
	}
}

func TestAFormatIsNewerOnlyIfTheCopySaysSoToo(t *testing.T) {
	files := written(t)
	sealed := Seal([]byte("second"))
	sealed[5] = Version + 1
	for i, n := range []Name{{LSN: 2}, {LSN: 2, Copy: true}} {
		if err := writeFile(files, files.PathJoin(dir, n.String()), sealed); err != nil {
			t.Fatal(err)
		}
		c, _, err := Read(files, dir)
		if i == 0 && (err != nil || string(c.Body) != "second") {
			t.Errorf("one file: %+v, %v", c, err)
		}
		if i == 1 && !errors.Is(err, ErrNewer) {
			t.Errorf("both files: %v", err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(Seal([]byte("body")))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _, _ = Open(b) }) // must return
}

package vfs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
)

func put(t *testing.T, fs FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path, Category)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Clone(b)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, fs FS, path string) string {
	t.Helper()
	f, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "(missing)"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func list(t *testing.T, fs FS, dir string) []string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func TestAnOverlayShowsItsChangesAndLeavesTheBaseAlone(t *testing.T) {
	base := NewCrashable()
	if err := base.MkdirAll("/d/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/d/a", "/d/b", "/d/c", "/d/sub/x"} {
		put(t, base, name, []byte("base "+name))
	}
	fs := NewOverlay(base)
	put(t, fs, "/d/a", []byte("new"))
	if err := errors.Join(fs.Remove("/d/b"), fs.Rename("/d/c", "/d/e"), fs.RemoveAll("/d/sub"), fs.MkdirAll("/d/sub/deep", 0o755)); err != nil {
		t.Fatal(err)
	}
	put(t, fs, "/d/sub/deep/y", []byte("y"))
	for path, want := range map[string]string{
		"/d/a": "new", "/d/b": "(missing)", "/d/c": "(missing)", "/d/e": "base /d/c", "/d/sub/x": "(missing)", "/d/sub/deep/y": "y",
	} {
		if got := get(t, fs, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := list(t, fs, "/d"); !slices.Equal(got, []string{"a", "e", "sub"}) {
		t.Errorf("overlay has %v", got)
	}
	if got := list(t, fs, "/d/sub"); !slices.Equal(got, []string{"deep"}) {
		t.Errorf("overlay has %v", got)
	}
	if got := list(t, base, "/d"); !slices.Equal(got, []string{"a", "b", "c", "sub"}) || get(t, base, "/d/a") != "base /d/a" {
		t.Errorf("base has %v", got)
	}
	if err := fs.Remove("/d/b"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed twice: %v", err)
	}
	if err := fs.Rename("/d/sub", "/d/other"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a directory was renamed: %v", err)
	}
}

func TestAnOverlaidFileMixesWrittenPagesWithTheBase(t *testing.T) {
	base := NewCrashable()
	whole := bytes.Repeat([]byte("0123456789abcdef"), 3*pageSize/16)
	put(t, base, "/f", whole)
	fs := NewOverlay(base)
	f, err := fs.OpenReadWrite("/f", Category)
	if err != nil {
		t.Fatal(err)
	}
	want := append(bytes.Clone(whole), make([]byte, 10)...)
	for at, text := range map[int]string{5: "early", pageSize - 3: "across", len(whole) + 10: "behind a hole"} {
		if _, err := f.WriteAt([]byte(text), int64(at)); err != nil {
			t.Fatal(err)
		}
		want = append(want[:at], append([]byte(text), want[min(len(want), at+len(text)):]...)...)
	}
	if got := get(t, fs, "/f"); got != string(want) {
		t.Errorf("%d bytes differ from the %d expected", len(got), len(want))
	}
	if got := get(t, base, "/f"); got != string(whole) {
		t.Error("the base was written")
	}
	if info, err := f.Stat(); err != nil || info.Size() != int64(len(want)) {
		t.Errorf("size %d, %v", info.Size(), err)
	}
	if n, err := f.ReadAt(make([]byte, 20), int64(len(want))-5); n != 5 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d behind the end: %v", n, err)
	}
}

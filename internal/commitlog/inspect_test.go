package commitlog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

// inspected reads the log in dir on the machine's file system.
func inspected(t testing.TB, dir string, m Mark) Report {
	t.Helper()
	r, err := Inspect(InspectOptions{FS: vfs.Default, Dir: dir, Mark: &m, EpochAt: func(o record.Offset) int32 { return int32(o / 200) }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// layOut makes a log with appended segments and one that Rewrite made, and closes it.
func layOut(t testing.TB) (dir string, m Mark) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "log")
	l, sealed := sealedLog(t, Options{FS: vfs.Default, Dir: dir, SegmentBytes: 4 << 10}, 600)
	segments := l.Segments()
	rewrite(t, l, 0, segments[2].End, 3)
	if err := l.SetCleaned(segments[2].End); err != nil {
		t.Fatal(err)
	}
	if l.Segments()[1].End > sealed || len(l.Segments()) < 4 {
		t.Fatal("the log has too few segments for this test")
	}
	m = l.Mark()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, m
}

func TestAWholeLogHasNoDamageAlsoWhereOffsetsWereRemoved(t *testing.T) {
	dir, m := layOut(t)
	r := inspected(t, dir, m)
	if len(r.Damage) > 0 || len(r.Unknown) > 0 || r.Segments < 4 || r.Batches < 50 || r.Records <= r.Batches {
		t.Errorf("%+v", r)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := inspected(t, dir, m); !slices.Equal(r.Unknown, []string{"notes"}) {
		t.Errorf("unknown %v", r.Unknown)
	}
	if r, err := Inspect(InspectOptions{FS: vfs.Default, Dir: dir}); err != nil || len(r.Damage) > 0 {
		t.Errorf("without a mark: %+v, %v", r.Damage, err)
	}
}

func TestEveryFlippedByteIsInTheDamageAndWhatCannotBeReadToo(t *testing.T) {
	dir, m := layOut(t)
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name.Name())
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/8 {
			b := slices.Clone(whole)
			b[at] ^= 0x10
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			r := inspected(t, dir, m)
			if len(r.Damage) == 0 {
				t.Errorf("%s at %d: nothing was found", name.Name(), at)
			}
			checkUnreadable(t, dir, m, r)
			if t.Failed() {
				t.Fatalf("%s at %d: %+v", name.Name(), at, r.Damage)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// checkUnreadable opens a copy of the log and reads from many offsets: what fails must be in the report.
func checkUnreadable(t *testing.T, dir string, m Mark, r Report) {
	t.Helper()
	told := func(o record.Offset) bool {
		return slices.ContainsFunc(r.Damage, func(d Damage) bool { return d.Part == PartData && o >= d.From && o < d.To })
	}
	l, err := Open(Options{FS: vfs.NewOverlay(vfs.Default), Dir: dir}, m)
	if err != nil {
		if !strings.Contains(err.Error(), "corrupt") {
			t.Error(err)
		}
		return
	}
	defer l.Close()
	for o := l.Start(); o < l.End(); o += 5 {
		if _, err := l.Read(o, l.End(), 1); err != nil && !told(o) {
			t.Errorf("offset %d: %v", o, err)
			return
		}
	}
}

package vfs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func write(fs FS) error {
	if err := fs.MkdirAll("d", 0o755); err != nil {
		return err
	}
	f, err := fs.Create("d/a", Category)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write([]byte("x")); err != nil {
		return err
	}
	if err := f.SyncData(); err != nil {
		return err
	}
	if err := SyncDir(fs, "d"); err != nil {
		return err
	}
	return fs.Rename("d/a", "d/b")
}

func TestOnOpSeesEveryOperationBeforeItHappens(t *testing.T) {
	mem := NewCrashable()
	var ops []string
	fs := OnOp(mem, func(op, path string) {
		if op == "create" {
			if _, err := mem.Stat(path); err == nil {
				t.Error("the file is there already")
			}
		}
		if IsWriteOp(op) {
			ops = append(ops, op+" "+path)
		}
	})
	if err := write(fs); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(ops, ", "), "mkdir-all d, create d/a, write d/a, sync-data d/a, sync d, rename d/a"; got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestFailOpReplacesAnOperationByItsError(t *testing.T) {
	injected := errors.New("injected")
	for n := 1; ; n++ {
		count := 0
		err := write(FailOp(NewCrashable(), func(op, path string) error {
			if count++; count == n {
				return fmt.Errorf("%s: %w", op, injected)
			}
			return nil
		}))
		if err == nil {
			if n != 8 { // seven operations, of which opening the directory only reads
				t.Fatalf("%d operations failed", n-1)
			}
			return
		}
		if !errors.Is(err, injected) {
			t.Fatal(err)
		}
	}
}

func TestEveryOperationHasAName(t *testing.T) {
	for kind, name := range opNames {
		if name == "" {
			t.Errorf("operation %d has no name", kind)
		}
	}
	if len(opNames) != 24 {
		t.Errorf("%d names: does Pebble know new operations?", len(opNames))
	}
}

func TestSyncDirMakesAnEntryDurable(t *testing.T) {
	mem := NewCrashable()
	f, err := mem.Create("a", Category)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if _, err := mem.CrashClone(vfs.CrashCloneCfg{}).Stat("a"); err == nil {
		t.Fatal("the entry survived without a sync")
	}
	if err := SyncDir(mem, "/"); err != nil {
		t.Fatal(err)
	}
	if _, err := mem.CrashClone(vfs.CrashCloneCfg{}).Stat("a"); err != nil {
		t.Fatal(err)
	}
	if err := SyncDir(mem, "/missing"); err == nil {
		t.Fatal("a missing directory was synced")
	}
}

package commitlog

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// A pathCount is how often each file was written back.
type pathCount struct {
	sync.Mutex
	of map[string]int
}

func (c *pathCount) get(path string) int {
	c.Lock()
	defer c.Unlock()
	return c.of[path]
}

// writeBackTest runs f beside a WriteBack of so many bytes on a file system that counts, and fails with what is in fail. It returns
// what Run returned.
func writeBackTest(t *testing.T, bytes int, fail error, f func(t *testing.T, o Options, c *pathCount)) (err error) {
	synctest.Test(t, func(t *testing.T) {
		c := &pathCount{of: map[string]int{}}
		o := options(vfs.FailOp(vfs.NewCrashable(), func(op, path string) error {
			if op != "sync-to" {
				return nil
			}
			c.Lock()
			defer c.Unlock()
			c.of[path]++
			return fail
		}))
		o.WriteBack = NewWriteBack(bytes)
		quit, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			err = o.WriteBack.Run(quit)
		}()
		f(t, o, c)
		close(quit)
		<-done
	})
	return err
}

func TestWhatLogsGotTogetherIsWrittenBack(t *testing.T) {
	enough := len(makeBatch(0, 20)) * 3 / 2 // for one batch to be too little, and two enough
	err := writeBackTest(t, enough, nil, func(t *testing.T, o Options, c *pathCount) {
		other, idle := o, o
		other.Dir, idle.Dir = o.Dir+"-other", o.Dir+"-idle"
		a, b := create(t, o), create(t, other)
		create(t, idle)
		for round := range 3 {
			for i, l := range []*Log{a, b} {
				if err := l.Append(makeBatch(l.End(), 20)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				for _, l := range []*Log{a, b} {
					if n := c.get(l.path(0, logSuffix)); n != round+i {
						t.Errorf("round %d, after log %d: %s written back %d times", round, i, l.dir, n)
					}
				}
			}
		}
		if len(c.of) != 2 {
			t.Errorf("written back: %v", c.of)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAWriteBackThatFailsEndsItsLog(t *testing.T) {
	fire := errors.New("the disk is on fire")
	err := writeBackTest(t, 1, fire, func(t *testing.T, o Options, _ *pathCount) {
		l := create(t, o)
		if err := l.Append(makeBatch(0, 20)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := l.Sync(); !errors.Is(err, fire) {
			t.Errorf("Sync after it: %v", err)
		}
		if err := l.Append(makeBatch(20, 20)); !errors.Is(err, fire) {
			t.Errorf("Append after it: %v", err)
		}
	})
	if !errors.Is(err, fire) {
		t.Errorf("Run returned %v", err)
	}
}

// A log may be rolled, synced, closed or removed between its append and the write-back.
func TestAWriteBackMayComeTooLate(t *testing.T) {
	for i, end := range []func(l *Log) error{(*Log).Roll, (*Log).Sync, (*Log).Close, (*Log).Remove} {
		o := options(vfs.NewCrashable())
		o.WriteBack = NewWriteBack(1)
		l := create(t, o)
		if err := l.Append(makeBatch(0, 20)); err != nil {
			t.Fatal(err)
		}
		if err := end(l); err != nil {
			t.Fatal(err)
		}
		for _, l := range o.WriteBack.take() {
			if err := l.writeBack(); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		if err := l.Append(makeBatch(20, 20)); (err != nil) != (i >= 2) {
			t.Errorf("%d: Append after it: %v", i, err)
		}
	}
}

package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/vfs"
	"github.com/mainstemio/mainstem/record"
)

func TestReadersSyncAndRetentionRunBesideTheAppender(t *testing.T) {
	o := Options{FS: vfs.Default, Dir: filepath.Join(t.TempDir(), "log"), SegmentBytes: 8 << 10, CacheBytes: 4 << 10}
	l := create(t, o)
	done := make(chan struct{})
	var wait sync.WaitGroup
	loop := func(f func() error) {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2 {
		from := record.Offset(0)
		loop(func() error {
			b, err := l.Read(from, l.End(), 2000)
			if errors.Is(err, ErrOutOfRange) {
				from = nextBatch(l.Start())
				return nil
			}
			if err != nil {
				return err
			}
			for len(b) > 0 {
				v, rest, err := batch.Next(b)
				if err != nil {
					return err
				}
				if !bytes.Equal(v, makeBatch(v.BaseOffset(), sizeAt(v.BaseOffset()))) {
					return fmt.Errorf("wrong bytes at %d", v.BaseOffset())
				}
				from, b = v.LastOffset()+1, rest
			}
			return nil
		})
	}
	loop(l.Sync)
	loop(func() error { return l.AdvanceStart(max(0, l.End()-2000)) })
	loop(func() error {
		_, _, _, err := l.OffsetForTime(timeOf(l.End()/2), l.End())
		if errors.Is(err, ErrOutOfRange) {
			return nil
		}
		return err
	})
	fill(t, l, 6000)
	close(done)
	wait.Wait()
	m := l.Mark()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, o, m)
	if err := l.AdvanceStart(m.Start); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(l, m.Start, 5000); err != nil || !bytes.HasSuffix(content(0, m.End), got) {
		t.Fatalf("%d bytes: %v", len(got), err)
	}
}

// nextBatch is the first base offset at or above o in what fill appends.
func nextBatch(o record.Offset) record.Offset {
	next := record.Offset(0)
	for next < o {
		next += record.Offset(sizeAt(next))
	}
	return next
}

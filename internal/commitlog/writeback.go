package commitlog

import (
	"fmt"
	"sync"
)

// A WriteBack sends what logs were given to the disk while more comes, some of it at a time. So a Sync finds little left to do: one of
// many megabytes would keep all other syncs of that disk behind it, the journal's with what waits to be acknowledged. It makes nothing
// durable.
type WriteBack struct {
	bytes int
	ready chan struct{} // capacity 1: enough has come

	mu struct {
		sync.Mutex
		logs  []*Log // that got something since they were written back, each once
		bytes int    // that they got
	}
}

// NewWriteBack returns one that writes each time the logs together got this many bytes.
func NewWriteBack(bytes int) *WriteBack {
	return &WriteBack{bytes: bytes, ready: make(chan struct{}, 1)}
}

// Run writes until quit is closed, or an error. That is sticky in its log, as one of Sync is: no bytes may be taken for written any more.
func (w *WriteBack) Run(quit <-chan struct{}) error {
	for {
		select {
		case <-w.ready:
		case <-quit:
			return nil
		}
		for _, l := range w.take() {
			if err := l.writeBack(); err != nil {
				return fmt.Errorf("write log %s to the disk: %w", l.dir, err)
			}
		}
	}
}

// note says that l got n bytes, and whether they are the first since it was written back.
func (w *WriteBack) note(l *Log, n int, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if first {
		w.mu.logs = append(w.mu.logs, l)
	}
	if w.mu.bytes += n; w.mu.bytes < w.bytes {
		return
	}
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

func (w *WriteBack) take() (logs []*Log) {
	w.mu.Lock()
	defer w.mu.Unlock()
	logs, w.mu.logs, w.mu.bytes = w.mu.logs, nil, 0
	return logs
}

// writeBack begins to write what the active segment got, and waits for what was begun the last time: what is on its way to the disk
// at once stays small.
func (l *Log) writeBack() error {
	l.upkeep.Lock()
	defer l.upkeep.Unlock()
	l.mu.Lock()
	a := l.mu.active
	l.mu.behind = false
	l.mu.Unlock()
	if a.file == nil { // the log was closed
		return nil
	}
	if _, err := a.file.SyncTo(a.size); err != nil {
		return l.fail(fmt.Errorf("segment %s: %w", l.path(a.base, logSuffix), err))
	}
	return nil
}

package engine

import (
	"errors"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/store"
	"github.com/mainstemio/mainstem/internal/task"
)

// ErrNotReadable: the application is starting or restoring, so its tables cannot be read yet.
var ErrNotReadable = errors.New("the tables are not restored yet")

// shown are the task sets of the running session, whose committed rows anybody may read.
type shown struct {
	sets atomic.Pointer[[]*task.Set] // nil: none are restored
}

func (s *shown) show(sets ...*task.Set) { s.sets.Store(&sets) }
func (s *shown) hide()                  { s.sets.Store(nil) }

// ViewOf returns a view of a store: the committed rows of the tasks that run in this process, readable from any goroutine. It is of the
// session that runs now: after a restart or a change of the tasks it stays what it was, so look again for each query. K and V are the
// store's types.
func ViewOf[K, V any](e *Engine, name string) (*store.View[K, V], error) {
	sets := e.shown.sets.Load()
	if sets == nil {
		return nil, ErrNotReadable
	}
	return task.ViewOfAll[K, V](*sets, name)
}

// StoresOf returns the stores that ViewOf finds, for views of other kinds: only what the stores offer to any goroutine may be called.
func StoresOf(e *Engine) ([]store.Store, error) {
	sets := e.shown.sets.Load()
	if sets == nil {
		return nil, ErrNotReadable
	}
	var stores []store.Store
	for _, set := range *sets {
		stores = append(stores, set.Stores()...)
	}
	return stores, nil
}

package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestCachedUpdatesGoOnWithTheirEpoch: many records of one key give one update for each epoch, and none is lost with a life.
func TestCachedUpdatesGoOnWithTheirEpoch(t *testing.T) {
	inWorld(t, func(w *world) {
		cached := func(o *Options) { o.CacheBytes, o.EpochInterval = 1<<20, time.Second }
		l := w.start(w.engine(counting(t), cached))
		time.Sleep(2 * time.Second)
		w.publish("in", 0, "a=1", "a=2", "b=1", "a=3")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		l.stop()
		first := w.read("out")
		if n := len(first); n < 2 || n > 3 {
			t.Errorf("the first epochs wrote %v", first)
		}
		l = w.start(w.engine(counting(t), cached))
		w.publish("in", 0, "a=4", "b=2")
		synctest.Wait()
		l.stop() // ends the epoch
		if again := w.read("out"); len(again) != len(first)+2 {
			t.Errorf("after a restart %v", again)
		}
	})
}

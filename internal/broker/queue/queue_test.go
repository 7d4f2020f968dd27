package queue

import (
	"slices"
	"testing"
	"testing/synctest"
)

func TestCommandsWaitForRoomAndKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int, string](10)
		q.Push(1, 7)
		pushed := 0
		go func() {
			q.Push(2, 3)
			pushed = 2
			q.Push(3, 1)
			pushed = 3
		}()
		synctest.Wait()
		<-q.Ready()
		if got := q.Take(nil); pushed != 2 || !slices.Equal(got, []int{1, 2}) {
			t.Fatalf("%v were taken, %d is the last one pushed", got, pushed)
		}
		q.Release(7)
		synctest.Wait()
		if <-q.Ready(); !slices.Equal(q.Take(nil), []int{3}) || pushed != 3 {
			t.Error("there was room for the third")
		}
	})
}

func TestOneLargerThanTheBudgetTravelsAlone(t *testing.T) {
	q := New[int, string](10)
	if q.Push(1, 100) != nil || q.Push(2, 0) != nil {
		t.Error("refused")
	}
}

func TestStopRefusesAndLetsWaitersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int, string](10)
		q.Push(1, 10)
		refused := make(chan *string, 1)
		go func() { refused <- q.Push(2, 1) }()
		synctest.Wait()
		why, later := "the end", "again"
		q.Stop(&why)
		q.Stop(&later)
		if <-refused != &why || q.Push(3, 0) != &why || !slices.Equal(q.Take(nil), []int{1}) {
			t.Error("the first reason counts, and what was queued stays")
		}
	})
}

package mainstem

import (
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/clock"
)

func TestFiguresAreTakenWhileSomebodyLooks(t *testing.T) {
	clk := clock.NewManual(time.UnixMilli(0))
	n := &Node{}
	n.o.clock = clk
	f := newFlow(n)
	clk.Advance(time.Minute)
	if f.next(clk.Mono()) != nil {
		t.Error("nobody has looked, but another sample is due")
	}
	if !f.old() {
		t.Error("figures of which half is forgotten count as new")
	}
	if f.next(clk.Mono()) == nil {
		t.Error("somebody has looked, but no sample is due")
	}
	if f.old() {
		t.Error("a sample was just taken, and counts as old")
	}
	clk.Advance(3 * sampleEvery)
	if !f.old() {
		t.Error("no sample was taken for long, but the last one counts as new")
	}
	clk.Advance(lookedFor + time.Second)
	if f.next(clk.Mono()) != nil {
		t.Error("nobody has looked for long, but another sample is due")
	}
}

func TestSamplesThatTakeLongAreTakenLessOften(t *testing.T) {
	clk := clock.NewManual(time.UnixMilli(0))
	n := &Node{}
	n.o.clock = clk
	f := newFlow(n)
	began := clk.Mono()
	clk.Advance(100 * time.Millisecond)
	f.old()
	due := f.next(began)
	clk.Advance(sampleShare*100*time.Millisecond - 1)
	select {
	case <-due:
		t.Error("samples take more of the time than their share")
	default:
	}
	clk.Advance(1)
	<-due
}

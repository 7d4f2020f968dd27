package guard

import (
	"net"
	"testing"
)

func TestConnectionsOfAnAddressAreCapped(t *testing.T) {
	b := NewBudget(Limits{Connections: 10, Unproven: 10, PerAddress: 1, InFlight: 1, Decoded: 1})
	addr := func(s string) net.Addr { a, _ := net.ResolveTCPAddr("tcp", s); return a }
	place, err := b.Admit(addr("10.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Admit(addr("10.0.0.1:2")); err != ErrTooManyFromAddress {
		t.Errorf("error %v", err)
	}
	if _, err := b.Admit(addr("10.0.0.2:1")); err != nil {
		t.Errorf("another address: %v", err)
	}
	place.Release()
	if _, err := b.Admit(addr("10.0.0.1:3")); err != nil {
		t.Errorf("after release: %v", err)
	}
}

func TestTheOldestUnreadAnswersMakeRoom(t *testing.T) {
	b := NewBudget(Limits{InFlight: 100})
	var gone []string
	hold := func(name string, n int) func() { return b.HoldAnswer(n, func() { gone = append(gone, name) }) }
	first, second := hold("first", 40), hold("second", 40)
	third := hold("third", 50)
	if len(gone) != 1 || gone[0] != "first" {
		t.Fatalf("given up: %v, want the first", gone)
	}
	first()
	second()
	hold("fourth", 50)
	if len(gone) != 1 {
		t.Errorf("given up: %v, although there was room", gone)
	}
	third()
	hold("huge", 1000) // alone it is let through: its client may read
	if len(gone) != 2 || gone[1] != "fourth" {
		t.Errorf("given up: %v, want the first and the fourth", gone)
	}
}

func TestFetchesNeverTakeMoreThanThereIs(t *testing.T) {
	const all = 100 << 20
	b := NewBudget(Limits{InFlight: all})
	taken := 0
	for range 1000 {
		taken += b.TakeFetch(50 << 20)
	}
	if most := all + 1000*minFetch; taken > most {
		t.Errorf("1,000 greedy fetches took %d bytes, at most %d are to be had", taken, most)
	}
	b.GiveFetch(taken)
	if n := b.TakeFetch(50 << 20); n != all/4 {
		t.Errorf("a quarter of what is free again is %d, want %d", n, all/4)
	}
}

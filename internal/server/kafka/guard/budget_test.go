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

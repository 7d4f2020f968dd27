package consumer

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/mainstemio/mainstem/internal/coordinator/assign"
)

// A Claim is a partition that a member holds, and the member's epoch when it got it: offsets may be committed with any epoch from
// then on (KIP-1251).
type Claim struct{ Partition, Epoch int32 }

// Claims are what a member holds, by topic, ascending. A topic without any is not in the map.
type Claims map[assign.TopicID][]Claim

// Partitions are the partitions alone.
func (c Claims) Partitions() assign.Partitions {
	out := make(assign.Partitions, len(c))
	for id, of := range c {
		ps := make([]int32, len(of))
		for i := range of {
			ps[i] = of[i].Partition
		}
		out[id] = ps
	}
	return out
}

// find returns the epoch of one claim.
func (c Claims) find(id assign.TopicID, partition int32) (epoch int32, ok bool) {
	of := c[id]
	i, ok := slices.BinarySearchFunc(of, partition, func(c Claim, p int32) int { return cmp.Compare(c.Partition, p) })
	if !ok {
		return 0, false
	}
	return of[i].Epoch, true
}

// covers reports whether all of ps are claimed.
func (c Claims) covers(ps assign.Partitions) bool {
	for id, of := range ps {
		for _, p := range of {
			if _, ok := c.find(id, p); !ok {
				return false
			}
		}
	}
	return true
}

// meets reports whether any of ps is claimed.
func (c Claims) meets(ps assign.Partitions) bool {
	for id, of := range ps {
		for _, p := range of {
			if _, ok := c.find(id, p); ok {
				return true
			}
		}
	}
	return false
}

func (c Claims) equal(o Claims) bool { return maps.EqualFunc(c, o, slices.Equal[[]Claim]) }

// add puts claims of one topic in and keeps them ascending.
func (c Claims) add(id assign.TopicID, claims ...Claim) {
	if len(claims) == 0 {
		return
	}
	all := append(slices.Clone(c[id]), claims...)
	slices.SortFunc(all, func(a, b Claim) int { return cmp.Compare(a.Partition, b.Partition) })
	c[id] = all
}

// sortedIDs lists the topics of a map in one order.
func sortedIDs[V any](m map[assign.TopicID]V) []assign.TopicID {
	return slices.SortedFunc(maps.Keys(m), func(a, b assign.TopicID) int { return bytes.Compare(a[:], b[:]) })
}

package group

import "encoding/binary"

// subscriptions returns a test for topics that a member of the group subscribes to. A classic consumer group whose subscriptions cannot
// be read counts as subscribed to everything: refusing is safe, deleting is not.
func (g *Groups) subscriptions(of *group) func(topic string) bool {
	if of.modern != nil {
		return func(topic string) bool { return of.modern.Subscribes(g.options.Topics, topic) }
	}
	topics := map[string]struct{}{}
	for _, m := range of.order {
		for _, p := range m.protocols {
			if !readSubscription(p.Metadata, topics) {
				return func(string) bool { return true }
			}
		}
	}
	return func(topic string) bool {
		_, ok := topics[topic]
		return ok
	}
}

// readSubscription adds the topics of a consumer protocol subscription. Every version begins like version 0:
//
//	version int16 | count int32 | count × (length int16, name) | …
func readSubscription(b []byte, topics map[string]struct{}) bool {
	if len(b) < 6 {
		return false
	}
	count := int32(binary.BigEndian.Uint32(b[2:]))
	if int16(binary.BigEndian.Uint16(b)) < 0 || count < 0 {
		return false
	}
	b = b[6:]
	for range count {
		if len(b) < 2 {
			return false
		}
		n := int(int16(binary.BigEndian.Uint16(b)))
		b = b[2:]
		if n < 0 || n > len(b) {
			return false
		}
		topics[string(b[:n])] = struct{}{}
		b = b[n:]
	}
	return true
}

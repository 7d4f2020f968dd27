package session

import (
	"cmp"
	"time"
)

// find returns owner's session.
func (c *Cache) find(id int32, owner string) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.mu.sessions[id]; s != nil && s.owner == owner {
		return s
	}
	return nil
}

// drop closes owner's session, if there is one.
func (c *Cache) drop(id int32, owner string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.mu.sessions[id]; s != nil && s.owner == owner {
		c.removeLocked(s)
	}
}

func (c *Cache) removeLocked(s *session) {
	delete(c.mu.sessions, s.id)
	c.mu.bytes -= s.cost
}

// use notes that s is in use and what it costs now. It is false when s has lost its place.
func (c *Cache) use(s *session, now time.Time, cost int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.sessions[s.id] != s {
		return false
	}
	c.mu.bytes += cost - s.cost
	s.lastUsed, s.cost = now, cost
	if c.mu.bytes <= c.o.Bytes {
		return true
	}
	if c.makeRoomLocked(now, 0, s) {
		return true
	}
	c.removeLocked(s)
	return false
}

// open makes a session of what a full request wanted and was told, and returns its id; 0 when there is no room.
func (c *Cache) open(now time.Time, r *Request, outcomes []Outcome) int32 {
	s := &session{owner: r.Owner, byID: r.ByID, created: now, lastUsed: now, cost: costOf(r.Wants)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.sessions) >= c.o.Slots || c.mu.bytes+s.cost > c.o.Bytes {
		if s.cost > c.o.Bytes || !c.makeRoomLocked(now, s.cost, s) {
			return 0
		}
	}
	for s.id == 0 || c.mu.sessions[s.id] != nil {
		s.id = int32(c.o.Random() >> 1)
	}
	s.mu.epoch, s.mu.parts = nextEpoch(initialEpoch), make(map[Key]*part, len(r.Wants)) // nobody else knows s yet
	for i, w := range r.Wants {
		if p := s.wantLocked(w); !outcomes[i].Failed {
			p.told = outcomes[i]
		}
	}
	c.mu.sessions[s.id] = s
	c.mu.bytes += s.cost
	return s.id
}

// makeRoomLocked evicts sessions in favour of s until a slot is free, if s is new, and there is room for more bytes. It reports
// whether there is.
func (c *Cache) makeRoomLocked(now time.Time, more int64, s *session) bool {
	slots := c.o.Slots
	if c.mu.sessions[s.id] == s {
		slots++ // it has its slot
	}
	for len(c.mu.sessions) >= slots || c.mu.bytes+more > c.o.Bytes {
		v := c.victimLocked(now, s)
		if v == nil {
			return false
		}
		c.removeLocked(v)
	}
	return true
}

// victimLocked returns the session that loses its place to s: the one that has been idle longest, if for more than Age; else the
// smallest of those older than Age, if it is smaller than s. So nobody can push out many working sessions by opening small ones.
func (c *Cache) victimLocked(now time.Time, s *session) *session {
	var idle, small *session
	for _, v := range c.mu.sessions {
		if v == s {
			continue
		}
		if idle == nil || before(v, idle, v.lastUsed.Compare(idle.lastUsed)) {
			idle = v
		}
		if now.Sub(v.created) > c.o.Age && (small == nil || before(v, small, cmp.Compare(v.cost, small.cost))) {
			small = v
		}
	}
	switch {
	case idle != nil && now.Sub(idle.lastUsed) > c.o.Age:
		return idle
	case small != nil && small.cost < s.cost:
		return small
	}
	return nil
}

// before orders sessions that compare alike by id, so that a choice does not depend on the order of a map.
func before(a, b *session, order int) bool { return order < 0 || order == 0 && a.id < b.id }

// Package session keeps incremental fetch sessions (KIP-227): what a consumer wants of which partitions and what it was told last,
// so that its requests name only what changed and its answers hold only news.
//
// The Kafka server's Fetch handler calls it: Begin when a request comes, News and End when its answer is made. It calls nobody.
//
// A Cache is shared by all connections; its lock guards the table of sessions and what they cost, each session's lock guards the
// session. No two locks are held at once, and none across a read of a log.
//
//	request                       session                    answer
//	epoch -1 (or before v7)       the named one is closed    all partitions, id 0
//	epoch 0                       the named one is closed,   all partitions, the new id; id 0 when the cache has no room:
//	                              a new one is made          the client then names all partitions each time
//	epoch n, which is next        changed by what it names   partitions with records, moved offsets or an error
//	any other epoch               as it was                  INVALID_FETCH_SESSION_EPOCH
//	unknown id, another's id      none                       FETCH_SESSION_ID_NOT_FOUND
//	names where ids were, …       as it was                  FETCH_SESSION_TOPIC_ID_ERROR
//
// When the slots or the memory are used up, a new session takes the place of the one that was used last too long ago, else of a
// smaller one of a certain age, as in Kafka. Not here: reading, waiting, authorisation (the handler asks for each partition).
package session

import (
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Options of New; zero fields take the defaults.
type Options struct {
	Slots int           // sessions; default 1000 (max.incremental.fetch.session.cache.slots)
	Bytes int64         // memory of all sessions; default 64 MiB
	Age   time.Duration // after which a session may lose its place; default 2 min (min.incremental.fetch.session.eviction.ms)
	// Random returns a number that nobody can guess; required.
	Random func() uint32
}

// A Cache holds the sessions of a server. All methods are safe for concurrent use.
type Cache struct {
	o  Options
	mu struct {
		sync.Mutex
		sessions map[int32]*session
		bytes    int64
	}
}

// New returns an empty Cache.
func New(o Options) *Cache {
	if o.Slots == 0 {
		o.Slots = 1000
	}
	if o.Bytes == 0 {
		o.Bytes = 64 << 20
	}
	if o.Age == 0 {
		o.Age = 2 * time.Minute
	}
	c := &Cache{o: o}
	c.mu.sessions = map[int32]*session{}
	return c
}

// A Key names a partition: by topic id when the session goes by ids, else by name.
type Key struct {
	Topic     string
	ID        [16]byte
	Partition int32
}

// A Want is what a client wants of a partition.
type Want struct {
	Key
	Offset      int64
	MaxBytes    int32
	LeaderEpoch int32
}

// An Outcome is what the answer says about a partition.
type Outcome struct {
	High, Stable, Start int64
	Records             bool // it holds some
	Failed              bool
}

// A Request is a Fetch as far as sessions go. Owner stands for the client: nobody else can use its session.
type Request struct {
	ID, Epoch int32
	ByID      bool // topics come with ids
	Owner     string
	Wants     []Want
	Forget    []Key
}

// Epochs with a meaning of their own.
const (
	initialEpoch = 0
	finalEpoch   = -1
)

// A session's fields above mu never change; lastUsed and cost belong to the cache's lock.
type session struct {
	id       int32
	owner    string
	byID     bool
	created  time.Time
	lastUsed time.Time
	cost     int64

	mu struct {
		sync.Mutex
		epoch int32 // that the next request must carry
		parts map[Key]*part
		order []*part // in which they are read: those that had records go to the end, so that all get their turn
	}
}

type part struct {
	want Want
	told Outcome
	gone bool
}

// partCost is the memory of a partition in a session besides its topic's name, in bytes, rounded up; a request on its way copies
// half of it.
const partCost = 384

func costOf(wants []Want) int64 {
	n := int64(0)
	for i := range wants {
		n += partCost + int64(len(wants[i].Topic))
	}
	return n
}

// A Fetch is one request on its way to its answer.
type Fetch struct {
	// Wants is what to read, in this order; read-only.
	Wants []Want

	cache   *Cache
	request *Request // of a full one that opens a session
	session *session // of an incremental one
	told    []Outcome
	epoch   int32 // that the session has while this is the newest request
}

// Incremental reports whether the answer holds only news.
func (f *Fetch) Incremental() bool { return f.session != nil }

// Begin finds out what r wants.
func (c *Cache) Begin(now time.Time, r Request) (*Fetch, *kerr.Error) {
	if r.Epoch == initialEpoch || r.Epoch == finalEpoch {
		c.drop(r.ID, r.Owner)
		f := &Fetch{cache: c, Wants: r.Wants}
		if r.Epoch == initialEpoch && len(r.Wants) > 0 {
			f.request = &r
		}
		return f, nil
	}
	s := c.find(r.ID, r.Owner)
	if s == nil {
		return nil, kerr.FetchSessionIDNotFound
	}
	f, cost, err := s.begin(&r)
	if err != nil {
		return nil, err
	}
	f.cache = c
	if len(f.Wants) == 0 { // it has forgotten everything: the session is over
		c.drop(r.ID, r.Owner)
		return &Fetch{cache: c}, nil
	}
	if !c.use(s, now, cost) {
		return nil, kerr.FetchSessionIDNotFound
	}
	return f, nil
}

// begin checks the request against the session, changes the session by it and copies what there is to read.
func (s *session) begin(r *Request) (*Fetch, int64, *kerr.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Epoch != s.mu.epoch:
		return nil, 0, kerr.InvalidFetchSessionEpoch
	case r.ByID != s.byID:
		return nil, 0, kerr.FetchSessionTopicIDError
	}
	for _, w := range r.Wants {
		s.wantLocked(w)
	}
	for _, k := range r.Forget {
		if p := s.mu.parts[k]; p != nil {
			p.gone = true
			delete(s.mu.parts, k)
		}
	}
	s.mu.epoch = nextEpoch(s.mu.epoch)
	f := &Fetch{session: s, epoch: s.mu.epoch, Wants: make([]Want, 0, len(s.mu.parts)), told: make([]Outcome, 0, len(s.mu.parts))}
	kept := s.mu.order[:0]
	for _, p := range s.mu.order {
		if !p.gone {
			kept = append(kept, p)
			f.Wants, f.told = append(f.Wants, p.want), append(f.told, p.told)
		}
	}
	clear(s.mu.order[len(kept):])
	s.mu.order = kept
	return f, costOf(f.Wants), nil
}

// wantLocked adds a partition or changes what is wanted of it.
func (s *session) wantLocked(w Want) *part {
	p := s.mu.parts[w.Key]
	if p == nil {
		p = &part{told: nothing}
		s.mu.parts[w.Key] = p
		s.mu.order = append(s.mu.order, p)
	}
	p.want = w
	return p
}

// nothing is what a client knows of a new partition, and of one after an error: whatever comes next is news.
var nothing = Outcome{High: -1, Stable: -1, Start: -1}

func nextEpoch(e int32) int32 {
	if e == math.MaxInt32 {
		return 1
	}
	return e + 1
}

// News reports whether the answer must tell o about the i-th of Wants.
func (f *Fetch) News(i int, o Outcome) bool {
	if f.session == nil || o.Records || o.Failed {
		return true
	}
	t := &f.told[i]
	return o.High != t.High || o.Stable != t.Stable || o.Start != t.Start
}

// End records what the answer tells, outcomes being in the order of Wants, and returns the session id for it. When a newer request
// has come for the session, the answer must be the error instead.
func (f *Fetch) End(now time.Time, outcomes []Outcome) (int32, *kerr.Error) {
	switch {
	case f.session != nil:
		return f.session.id, f.session.end(f, outcomes)
	case f.request != nil:
		return f.cache.open(now, f.request, outcomes), nil
	}
	return 0, nil
}

func (s *session) end(f *Fetch, outcomes []Outcome) *kerr.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.epoch != f.epoch {
		return kerr.InvalidFetchSessionEpoch
	}
	// No newer request has come: order is as begin has left it.
	stay := make([]*part, 0, len(s.mu.order))
	var served []*part
	for i, p := range s.mu.order {
		o := outcomes[i]
		if p.told = o; o.Failed {
			p.told = nothing
		}
		if o.Records {
			served = append(served, p)
		} else {
			stay = append(stay, p)
		}
	}
	s.mu.order = append(stay, served...)
	return nil
}

// Package nexmark makes the events of Nexmark, an auction site of people, auctions and bids, and holds its queries in SQL.
//
// Callers: the tests beside it, which compare what the queries give with answers from elsewhere, and bench/sql.sh.
//
// Owner and locks: a Generator is a value without state and safe for concurrent use: an event depends on the seed and its number only.
//
// Format: an event is a record with a BIGINT key and a JSON value; times are ms since 1970-01-01T00:00:00Z. The queries read the topics
// that their sources.sql names. The proportions and sizes are those of the Nexmark suite (Tucker and others, "NEXMark – A Benchmark for
// Queries over Data Streams", and its generator in Apache Beam); its random numbers are not, they have no seed.
//
// Not here: running the queries.
package nexmark

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// Of every 50 events one is a person, then come three auctions, then bids.
const (
	persons  = 1
	auctions = 3
	cycle    = 50
)

const (
	firstID    = 1000 // of persons and auctions
	idLead     = 10   // ids beyond the last one that bids and auctions may name, as if they had overtaken it
	inFlight   = 100  // auctions that get bids
	active     = 1000 // persons who bid and sell
	hotStep    = 100  // the hot auction, seller and bidder change after so many
	categories = 5
	channels   = 10_000
)

// The topics of the events.
const (
	PersonTopic  = "person"
	AuctionTopic = "auction"
	BidTopic     = "bid"
)

// A Person registers.
type Person struct {
	ID           int64  `json:"id"`
	Name         string `json:"name"`
	EmailAddress string `json:"email_address"`
	CreditCard   string `json:"credit_card"`
	City         string `json:"city"`
	State        string `json:"state"`
	DateTime     int64  `json:"date_time"` // ms
	Extra        string `json:"extra"`
}

// An Auction is opened.
type Auction struct {
	ID          int64  `json:"id"`
	ItemName    string `json:"item_name"`
	Description string `json:"description"`
	InitialBid  int64  `json:"initial_bid"`
	Reserve     int64  `json:"reserve"`
	DateTime    int64  `json:"date_time"` // ms
	Expires     int64  `json:"expires"`   // ms
	Seller      int64  `json:"seller"`
	Category    int64  `json:"category"`
	Extra       string `json:"extra"`
}

// A Bid is made. It has no key of its own: its record has the number of the event.
type Bid struct {
	Auction  int64  `json:"auction"`
	Bidder   int64  `json:"bidder"`
	Price    int64  `json:"price"`
	Channel  string `json:"channel"`
	URL      string `json:"url"`
	DateTime int64  `json:"date_time"` // ms
	Extra    string `json:"extra"`
}

// An Event is one of the three; the other two are nil.
type Event struct {
	Number  int64
	Person  *Person
	Auction *Auction
	Bid     *Bid
}

// Topic is where the event's record lies.
func (e Event) Topic() string {
	switch {
	case e.Person != nil:
		return PersonTopic
	case e.Auction != nil:
		return AuctionTopic
	}
	return BidTopic
}

// Time is the event's, ms.
func (e Event) Time() int64 {
	switch {
	case e.Person != nil:
		return e.Person.DateTime
	case e.Auction != nil:
		return e.Auction.DateTime
	}
	return e.Bid.DateTime
}

// Key is that of the event's record: the id of a person or an auction, the event's number for a bid.
func (e Event) Key() []byte {
	id := e.Number
	switch {
	case e.Person != nil:
		id = e.Person.ID
	case e.Auction != nil:
		id = e.Auction.ID
	}
	return binary.BigEndian.AppendUint64(nil, uint64(id))
}

// Value is that of the event's record.
func (e Event) Value() []byte {
	var v any = e.Bid
	switch {
	case e.Person != nil:
		v = e.Person
	case e.Auction != nil:
		v = e.Auction
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("event %d: %v", e.Number, err)) // texts and numbers have JSON
	}
	return b
}

// A Generator makes events. The zero value makes those of seed 0 from 2015-07-15T00:00:00Z on, 10,000 a second.
type Generator struct {
	Seed  uint64
	Start time.Time     // default: 2015-07-15T00:00:00Z
	Step  time.Duration // between events; default 100 µs
}

// Event returns the event of a number, from 0.
func (g Generator) Event(number int64) Event {
	r := source{state: mix(g.Seed) ^ mix(uint64(number)+1)}
	e := Event{Number: number}
	switch place := number % cycle; {
	case place < persons:
		e.Person = g.person(number, &r)
	case place < persons+auctions:
		e.Auction = g.auction(number, &r)
	default:
		e.Bid = g.bid(number, &r)
	}
	return e
}

// at is the time of an event, ms.
func (g Generator) at(number int64) int64 {
	start, step := g.Start, g.Step
	if start.IsZero() {
		start = time.Date(2015, 7, 15, 0, 0, 0, 0, time.UTC)
	}
	if step == 0 {
		step = 100 * time.Microsecond
	}
	return start.Add(time.Duration(number) * step).UnixMilli()
}

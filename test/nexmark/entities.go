package nexmark

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// lastPerson is the newest person at an event, from 0.
func lastPerson(number int64) int64 { return number / cycle }

// lastAuction is the newest auction at an event, from 0; -1 before the first.
func lastAuction(number int64) int64 {
	return number/cycle*auctions + min(max(number%cycle-persons, -1), auctions-1)
}

// anyPerson is one of those who were active lately, or a little ahead.
func anyPerson(number int64, r *source) int64 {
	people := lastPerson(number) + 1
	among := min(people, active)
	return people - among + r.below(among+idLead)
}

// anyAuction is one of those that get bids, or a little ahead.
func anyAuction(number int64, r *source) int64 {
	last := lastAuction(number)
	first := max(last-inFlight, 0)
	return first + r.below(last-first+1+idLead)
}

// hot is whom many choose.
func hot(last int64) int64 { return max(last, 0) / hotStep * hotStep }

var (
	firstNames = strings.Fields("ada basil clara dmitri edith farah george hana igor julia kofi")
	lastNames  = strings.Fields("abbot brenner castillo dunne eriksen fowler gupta hartley ito")
	cities     = []string{"phoenix", "los angeles", "san francisco", "boise", "portland", "bend", "redmond", "seattle", "kent", "cheyenne"}
	states     = []string{"az", "ca", "id", "or", "wa", "wy"}
	hotNames   = []string{"Google", "Facebook", "Baidu", "Apple"}
)

func (g Generator) person(number int64, r *source) *Person {
	p := &Person{
		ID:           firstID + lastPerson(number),
		Name:         r.one(firstNames) + " " + r.one(lastNames),
		EmailAddress: r.letters(7) + "@" + r.letters(5) + ".com",
		CreditCard:   fmt.Sprintf("%04d %04d %04d %04d", r.below(10_000), r.below(10_000), r.below(10_000), r.below(10_000)),
		City:         r.one(cities), State: r.one(states), DateTime: g.at(number),
	}
	p.Extra = r.extra(200, 8+len(p.Name)+len(p.EmailAddress)+len(p.CreditCard)+len(p.City)+len(p.State))
	return p
}

func (g Generator) auction(number int64, r *source) *Auction {
	a := &Auction{
		ID: firstID + lastAuction(number), ItemName: r.words(20), Description: r.words(100),
		InitialBid: r.price(), DateTime: g.at(number), Category: 10 + r.below(categories),
	}
	a.Reserve = a.InitialBid + r.price()
	a.Expires = a.DateTime + g.lifetime(number, r)
	a.Seller = firstID + anyPerson(number, r)
	if r.below(4) > 0 {
		a.Seller = firstID + hot(lastPerson(number))
	}
	a.Extra = r.extra(500, 8*7+len(a.ItemName)+len(a.Description))
	return a
}

// lifetime is how long an auction is open, ms: about as long as it takes to open those in flight.
func (g Generator) lifetime(number int64, r *source) int64 {
	horizon := g.at(number+inFlight*cycle/auctions) - g.at(number)
	return 1 + r.below(max(2*horizon, 1))
}

func (g Generator) bid(number int64, r *source) *Bid {
	b := &Bid{Price: r.price(), DateTime: g.at(number)}
	b.Auction, b.Bidder = firstID+anyAuction(number, r), firstID+anyPerson(number, r)
	if r.below(2) > 0 {
		b.Auction = firstID + hot(lastAuction(number))
	}
	if r.below(4) > 0 {
		b.Bidder = firstID + hot(lastPerson(number)) + 1
	}
	if r.below(2) > 0 {
		of := r.below(int64(len(hotNames)))
		b.Channel, b.URL = hotNames[of], address(uint64(of))
	} else {
		of := r.below(channels)
		b.Channel, b.URL = fmt.Sprint("channel-", of), address(uint64(of)+1<<20)
		if of%10 > 0 {
			b.URL += fmt.Sprint("&channel_id=", bits.Reverse32(uint32(of))>>1)
		}
	}
	b.Extra = r.extra(100, 8*4)
	return b
}

// address is a channel's page.
func address(channel uint64) string {
	r := source{state: mix(channel)}
	return "https://www.nexmark.com/" + r.words(5) + "/" + r.words(5) + "/" + r.words(5) + "/item.htm?query=1"
}

// A source is splitmix64 (Steele, Lea and Flood, 2014).
type source struct{ state uint64 }

const golden = 0x9e3779b97f4a7c15

func (r *source) next() uint64 {
	r.state += golden
	return mix(r.state)
}

func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// below is a number from 0 to n-1.
func (r *source) below(n int64) int64 {
	high, _ := bits.Mul64(r.next(), uint64(n))
	return int64(high)
}

func (r *source) one(of []string) string { return of[r.below(int64(len(of)))] }

// price is from 100 to 100,000,000, each order of magnitude as likely as the others.
func (r *source) price() int64 {
	return int64(math.Round(math.Pow(10, 6*float64(r.next()>>11)/(1<<53)) * 100))
}

func (r *source) letters(n int64) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(r.below(26))
	}
	return string(b)
}

// words is a text of 3 to most letters with some underscores.
func (r *source) words(most int64) string {
	b := []byte(r.letters(3 + r.below(most-2)))
	for i := range b {
		if r.below(13) == 0 {
			b[i] = '_'
		}
	}
	return string(b)
}

// extra fills an event up to a size that varies by a fifth around the average.
func (r *source) extra(average, used int) string {
	if used >= average {
		return ""
	}
	left := int64(average - used)
	span := left / 5
	return r.letters(left - span + r.below(2*span+1))
}

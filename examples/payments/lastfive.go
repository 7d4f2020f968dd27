package payments

// Keep is how many payments a customer's list holds.
const Keep = 5

// A LastFive is the list of a customer's latest payments, newest first, at most Keep. It is never changed once made: Add
// returns another one.
type LastFive struct {
	CustomerID int64     `json:"customerId" serde:"required"`
	Payments   []Payment `json:"payments" serde:"required"`
}

// Add returns the list with p in its place and whether that is another list. Of equal dates the earlier arrival stays ahead. A
// payment that is already in the list (a redelivery), or older than all of a full one, changes nothing.
func (l LastFive) Add(p Payment) (LastFive, bool) {
	place := 0
	for i := range l.Payments {
		if l.Payments[i].Same(p) {
			return l, false
		}
		if l.Payments[i].TrxDate >= p.TrxDate {
			place = i + 1
		}
	}
	if place == Keep {
		return l, false
	}
	next := make([]Payment, 0, Keep) // its own memory: the old list may still be read
	next = append(next, l.Payments[:place]...)
	next = append(next, p)
	rest := l.Payments[place:]
	next = append(next, rest[:min(len(rest), Keep-len(next))]...)
	return LastFive{CustomerID: p.CustomerID, Payments: next}, true
}

package fraud

import (
	"slices"

	"github.com/mainstemio/mainstem/row"
)

// A Basket is a set of payments and their sum.
type Basket struct {
	Payments []Payment   `json:"payments"` // in the order in which they came
	Total    row.Decimal `json:"total"`
}

// Add returns the basket with p in it; one with the same id is in it already.
func (b Basket) Add(p Payment) Basket {
	if slices.ContainsFunc(b.Payments, func(q Payment) bool { return q.ID == p.ID }) {
		return b
	}
	b.Payments = append(slices.Clip(b.Payments), p) // clipped, so that it is copied: the old basket may still be read
	b.Total = b.Total.Add(p.Amount)
	return b
}

// Union returns the basket with all that is in another one.
func (b Basket) Union(other Basket) Basket {
	for _, p := range other.Payments {
		b = b.Add(p)
	}
	return b
}

// An Alert is a set of payments of one card that look like fraud, and the rules that say so.
type Alert struct {
	Rules []string `json:"rules"` // in the order of their names
	Basket

	news bool // holds something that has not been published in this form
}

// alarm is an alert of one rule.
func alarm(rule string, b Basket) Alert { return Alert{Rules: []string{rule}, Basket: b} }

// Add returns the alert with what another alarm found.
func (a Alert) Add(b Alert) Alert {
	sum := a.union(b)
	sum.news = a.news || len(sum.Payments) > len(a.Payments) || len(sum.Rules) > len(a.Rules)
	return sum
}

// Join puts two alerts together that were apart. The first may be the empty one.
func (a Alert) Join(b Alert) Alert {
	sum := a.union(b)
	sum.news = len(a.Payments) > 0 && len(b.Payments) > 0
	return sum
}

func (a Alert) union(b Alert) Alert {
	rules := slices.Concat(a.Rules, b.Rules)
	slices.Sort(rules)
	return Alert{Rules: slices.Compact(rules), Basket: a.Basket.Union(b.Basket)}
}

package fraud_test

import (
	"maps"
	"time"

	"github.com/mainstemio/mainstem/examples/fraud"
	"github.com/mainstemio/mainstem/record"
)

// found are the ids of the payments that some rule finds, by rule; a payment may be under several.
type found map[string]map[int64]bool

func (f found) add(rule string, id int64) {
	if f[rule] == nil {
		f[rule] = map[int64]bool{}
	}
	f[rule][id] = true
}

func (f found) all() map[int64]bool {
	all := map[int64]bool{}
	for _, ids := range f {
		maps.Copy(all, ids)
	}
	return all
}

// oracle applies the rules without the engine: by looking back from each payment.
func oracle(payments []labelled, r fraud.Rules) found {
	out := found{}
	cards := map[string][]labelled{}
	for _, p := range payments {
		if p.Amount.Cmp(r.Amount) > 0 {
			out.add(fraud.RuleAmount, p.ID)
		}
		before := append(cards[p.Card], p)
		cards[p.Card] = before
		out.bursts(before, r)
		out.spree(before, r)
	}
	out.terminals(payments, r)
	return out
}

func ms(d time.Duration) record.Timestamp { return record.Timestamp(d.Milliseconds()) }

// bursts looks at each window of five minutes, beginning at a full minute, that holds the last payment of a card.
func (f found) bursts(before []labelled, r fraud.Rules) {
	now := before[len(before)-1].Time
	first := now - now%ms(time.Minute)
	for start := first; start > first-ms(5*time.Minute); start -= ms(time.Minute) {
		var b fraud.Basket
		for i := len(before) - 1; i >= 0 && before[i].Time >= start; i-- {
			b = b.Add(before[i].Payment)
		}
		if b.Total.Cmp(r.Burst) > 0 {
			f.addAll(fraud.RuleBurst, b)
		}
	}
}

// spree looks back from the last payment of a card as long as there is no gap of more than an hour.
func (f found) spree(before []labelled, r fraud.Rules) {
	var b fraud.Basket
	for i := len(before) - 1; i >= 0; i-- {
		if i < len(before)-1 && before[i+1].Time-before[i].Time > ms(time.Hour) {
			break
		}
		b = b.Add(before[i].Payment)
	}
	if b.Total.Cmp(r.Spree) > 0 {
		f.addAll(fraud.RuleSpree, b)
	}
}

func (f found) addAll(rule string, b fraud.Basket) {
	for _, p := range b.Payments {
		f.add(rule, p.ID)
	}
}

// terminals looks back from each payment at the reports of its terminal, which are a fixed time later than the frauds.
func (f found) terminals(payments []labelled, r fraud.Rules) {
	frauds := map[int64][]record.Timestamp{} // times of reports by terminal
	const week = 7 * 24 * time.Hour
	for _, p := range payments {
		limit, n := p.Time, int64(0)
		times := frauds[p.Terminal]
		for i := len(times) - 1; i >= 0; i-- {
			if times[i] > p.Time {
				continue // not reported yet
			}
			if limit-times[i] > ms(week) {
				break
			}
			limit, n = times[i], n+1
		}
		if n >= r.Reports {
			f.add(fraud.RuleTerminal, p.ID)
		}
		if p.scenario > 0 {
			frauds[p.Terminal] = append(times, reported(p).Time)
		}
	}
}

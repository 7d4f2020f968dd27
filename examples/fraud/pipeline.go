package fraud

import (
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// PipelineName is the application's name: its positions and its state belong to it.
const PipelineName = "card-fraud"

// Pipeline watches payments and reports with the four rules, and writes alerts and the totals of days.
func Pipeline(r Rules) (*stream.Topology, error) {
	t := stream.New(PipelineName)
	payments := stream.From(t, PaymentTopic, serde.String, PaymentJSON,
		stream.Timestamps(func(in stream.Incoming[string, Payment]) (record.Timestamp, error) { return in.Value.Time, nil }))
	reports := stream.From(t, ReportTopic, serde.Bytes, ReportJSON,
		stream.Timestamps(func(in stream.Incoming[[]byte, Report]) (record.Timestamp, error) { return in.Value.Time, nil }))

	alert(large(payments, r).Merge(bursts(payments, r), sprees(payments, r), atSuspects(payments, suspects(reports), r)))
	totals(payments, r)
	return t.Build()
}

// large finds single payments.
func large(payments stream.Stream[string, Payment], r Rules) stream.Stream[string, Alert] {
	over := payments.Filter(func(p Payment) bool { return p.Amount.Cmp(r.Amount) > 0 })
	return stream.MapValues(over, func(p Payment) Alert { return alarm(RuleAmount, Basket{}.Add(p)) })
}

// bursts sums each card's payments in hopping windows: every payment counts in five of them.
func bursts(payments stream.Stream[string, Payment], r Rules) stream.Stream[string, Alert] {
	windows := stream.WindowedBy(stream.GroupByKey(payments), stream.Hopping(burstSize, burstAdvance, paymentGrace))
	baskets := stream.AggregateWindows(windows, Basket{}, Basket.Add, basketJSON, stream.Named("bursts"))
	over := baskets.Updates().Filter(func(b Basket) bool { return b.Total.Cmp(r.Burst) > 0 })
	return stream.Map(over, func(w stream.Windowed[string], b Basket) (string, Alert) { return w.Key, alarm(RuleBurst, b) })
}

// sprees sums each card's payments in sessions. When a payment joins two of them, the updates show nulls for what is no more.
func sprees(payments stream.Stream[string, Payment], r Rules) stream.Stream[string, Alert] {
	sessions := stream.WindowedBySessions(stream.GroupByKey(payments), stream.Sessions(spreeGap, paymentGrace))
	baskets := stream.AggregateSessions(sessions, Basket{}, Basket.Add, Basket.Union, basketJSON, stream.Named("sprees"))
	over := stream.Nullable(baskets.Updates()).Filter(func(b *Basket) bool { return b != nil && b.Total.Cmp(r.Spree) > 0 })
	return stream.Map(over, func(w stream.Windowed[string], b *Basket) (string, Alert) { return w.Key, alarm(RuleSpree, *b) })
}

// suspects counts each terminal's reports in sessions and keeps what is known of it, and what was known a while ago.
func suspects(reports stream.Stream[[]byte, Report]) stream.Table[int64, Suspect] {
	byTerminal := stream.GroupBy(reports, Report.TerminalID, serde.Int64)
	counts := stream.CountSessions(stream.WindowedBySessions(byTerminal, stream.Sessions(reportGap, reportGrace)), stream.Named("reports"))
	some := stream.Nullable(counts.Updates()).Filter(func(n *int64) bool { return n != nil })
	known := stream.Map(some, func(w stream.Windowed[int64], n *int64) (int64, Suspect) {
		return w.Key, Suspect{Reports: *n, Until: w.End + record.Timestamp(reportGap.Milliseconds())}
	})
	return stream.ToTable(known.WithSerdes(serde.Int64, nil), suspectJSON, stream.Named("suspects"), stream.Versioned(movedGrace))
}

// atSuspects joins each payment with what was known of its terminal when it was made: reports that were read sooner than they
// should have been, because payments lag behind, do not count.
func atSuspects(payments stream.Stream[string, Payment], suspects stream.Table[int64, Suspect], r Rules) stream.Stream[string, Alert] {
	byTerminal := stream.SelectKey(payments, Payment.TerminalID).WithSerdes(serde.Int64, PaymentJSON)
	visits := stream.JoinTable(byTerminal, suspects, func(p Payment, s Suspect) Visit { return Visit{Payment: p, Suspect: s} })
	suspicious := visits.Filter(func(v Visit) bool { return v.Suspicious(r.Reports) })
	return stream.Map(suspicious, func(_ int64, v Visit) (string, Alert) {
		return v.Payment.Card, alarm(RuleTerminal, Basket{}.Add(v.Payment))
	})
}

// alert makes one alert of what the rules find of a card within a second, and publishes it whenever it holds something new.
func alert(alarms stream.Stream[string, Alert]) {
	byCard := stream.GroupByKey(alarms.WithSerdes(serde.String, AlertJSON))
	sessions := stream.WindowedBySessions(byCard, stream.Sessions(time.Second, movedGrace))
	alerts := stream.AggregateSessions(sessions, Alert{}, Alert.Add, Alert.Join, AlertJSON, stream.Named("alerts"))
	fresh := stream.Nullable(alerts.Updates()).Filter(func(a *Alert) bool { return a != nil && a.news })
	stream.Map(fresh, func(w stream.Windowed[string], a *Alert) (string, Alert) { return w.Key, *a }).
		To(AlertTopic, serde.String, AlertJSON)
}

// totals counts and sums the payments of each day of the calendar, all cards together.
func totals(payments stream.Stream[string, Payment], r Rules) {
	all := stream.GroupBy(payments, func(Payment) string { return "all" }, serde.String)
	days := stream.AggregateWindows(stream.WindowedBy(all, stream.Tumbling(day, movedGrace)), Totals{},
		func(t Totals, p Payment) Totals { return t.add(p, r.Amount) }, TotalsJSON, stream.Named("days"))
	stream.Map(days.Updates(), func(w stream.Windowed[string], t Totals) (string, Totals) {
		return time.UnixMilli(int64(w.Start)).UTC().Format(time.DateOnly), t
	}).To(DayTopic, serde.String, TotalsJSON, stream.Compacted())
}

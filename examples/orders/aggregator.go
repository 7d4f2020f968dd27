package orders

import (
	"slices"
	"time"

	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
	"github.com/mainstemio/mainstem/stream"
)

// AnswerGap is how far the times of an order and of its validations may be apart.
const AnswerGap = 5 * time.Minute

// A verdict is what the checks have said of an order so far.
type verdict struct {
	Passed []Check `json:"passed"`
	Failed bool    `json:"failed"`
}

// add returns another verdict: the slice of the old one may still be read.
func (v verdict) add(n Validation) verdict {
	switch {
	case n.Result == Fail:
		v.Failed = true
	case !slices.Contains(v.Passed, n.Check): // the same answer twice is one
		v.Passed = append(slices.Clip(v.Passed), n.Check)
	}
	return v
}

func both(earlier, later verdict) verdict {
	for _, c := range later.Passed {
		earlier = earlier.add(Validation{Check: c, Result: Pass})
	}
	earlier.Failed = earlier.Failed || later.Failed
	return earlier
}

// state is what becomes of the order: Created as long as that is open.
func (v verdict) state() State {
	switch {
	case v.Failed:
		return Failed
	case len(v.Passed) == checks:
		return Validated
	}
	return Created
}

var (
	verdictJSON = serde.JSON[verdict]()
	stateJSON   = serde.JSON[State]()
)

// Aggregator puts the checks' answers together: a session for each order, so that its memory ends with the order's. The decision is joined
// with the order, which has to be published whole, and goes back to the topic the order came from. There it meets the filters of all
// services, which take up created orders only.
func Aggregator() (*stream.Topology, error) {
	t := stream.New("validations-aggregator-service")

	validations := stream.From(t, ValidationsTopic, serde.String, ValidationJSON)
	sessions := stream.WindowedBySessions(stream.GroupByKey(validations), stream.Sessions(AnswerGap, Patience))
	verdicts := stream.AggregateSessions(sessions, verdict{}, verdict.add, both, verdictJSON, stream.Named("verdicts"))
	decisions := stream.FlatMap(stream.Nullable(verdicts.Updates()), func(w stream.Windowed[string], v *verdict, emit func(string, State)) {
		if v != nil && v.state() != Created {
			emit(w.Key, v.state())
		}
	}).WithSerdes(serde.String, stateJSON)

	orders := stream.From(t, OrdersTopic, serde.String, OrderJSON).Filter(Order.IsCreated)
	near := stream.Within(AnswerGap, AnswerGap).Grace(Patience)
	decided := stream.Join(orders, decisions, near, Order.In, stream.Named("decisions"), stream.StoresNamed("decided"))

	store := state.Windows("published", serde.String, stateJSON, Patience+2*AnswerGap)
	stream.ProcessValues(decided, func() processor.FixedKey[string, Order, Order] {
		return &firstOnly{store: store}
	}, stream.Connect(store), stream.Named("first-only")).
		To(OrdersTopic, serde.String, OrderJSON)

	return t.Build()
}

// firstOnly lets the first decision on an order pass: a second check that fails is no news.
type firstOnly struct {
	store     *state.Builder[state.WindowStore[string, State]]
	published state.WindowStore[string, State]
}

// Init implements processor.FixedKey.
func (p *firstOnly) Init(ctx processor.FixedKeyContext[Order]) error {
	p.published = p.store.In(ctx)
	return nil
}

// Process implements processor.FixedKey. Decisions on one order are at most two gaps apart, one before the order and one behind it: so it
// need not be remembered for good.
func (p *firstOnly) Process(ctx processor.FixedKeyContext[Order], r processor.Record[string, Order]) error {
	const apart = record.Timestamp(2 * AnswerGap / time.Millisecond)
	for range p.published.FetchRange(r.Key, r.Time-apart, r.Time+apart, state.Ascending) {
		return nil
	}
	p.published.Put(r.Key, r.Value.State, r.Time)
	ctx.Forward(r.Value)
	return nil
}

// Close implements processor.FixedKey.
func (p *firstOnly) Close() error { return nil }

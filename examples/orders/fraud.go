package orders

import (
	"time"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// The rule of Fraud: who orders for FraudLimit or more without pausing for FraudGap is suspicious, from the order on that reaches it.
const (
	FraudLimit = Money(2000_00)
	FraudGap   = time.Hour
)

// A spending is what a customer has ordered for in a session, and the order that came last.
type spending struct {
	OrderID string `json:"orderId"`
	Total   Money  `json:"total"`
}

func (s spending) add(o Order) spending {
	return spending{OrderID: o.ID, Total: s.Total.Plus(o.Price.Times(o.Quantity))}
}

// joined is the spending of two sessions that a late order joins.
func joined(earlier, later spending) spending {
	return spending{OrderID: later.OrderID, Total: earlier.Total.Plus(later.Total)}
}

var spendingJSON = serde.JSON[spending]()

// Fraud checks what each customer spends in a session: a window that is as long as the customer keeps ordering.
func Fraud() (*stream.Topology, error) {
	t := stream.New("fraud-service")

	orders := stream.From(t, OrdersTopic, serde.String, OrderJSON).Filter(Order.IsCreated).Filter(Order.HasCustomer)
	byCustomer := stream.GroupBy(orders, Order.Customer, serde.Int64, stream.Named("by-customer"))
	sessions := stream.WindowedBySessions(byCustomer, stream.Sessions(FraudGap, Patience))
	spent := stream.AggregateSessions(sessions, spending{}, spending.add, joined, spendingJSON, stream.Named("spent"),
		stream.Uncached()) // every update answers an order: none may be merged with the next

	// A session that grows is a new one with another end: the old one is deleted, which is the null that nobody wants to know of here.
	stream.FlatMap(stream.Nullable(spent.Updates()), func(_ stream.Windowed[int64], s *spending, emit func(string, Validation)) {
		if s != nil {
			emit(s.OrderID, Validation{OrderID: s.OrderID, Check: FraudCheck, Result: passIf(s.Total < FraudLimit)})
		}
	}).To(ValidationsTopic, serde.String, ValidationJSON)

	return t.Build()
}

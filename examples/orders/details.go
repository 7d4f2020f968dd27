package orders

import (
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// Details checks each order by itself. It keeps nothing: its place in the topic, which is committed with what it writes, is all it needs
// to go on after a restart without answering twice.
func Details() (*stream.Topology, error) {
	t := stream.New("order-details-service")

	orders := stream.From(t, OrdersTopic, serde.String, OrderJSON).Filter(Order.IsCreated)
	stream.MapValues(orders, details).To(ValidationsTopic, serde.String, ValidationJSON)

	return t.Build()
}

func details(o Order) Validation {
	complete := o.HasCustomer() && o.Product != "" && o.Quantity >= 0 && o.Price >= 0
	return Validation{OrderID: o.ID, Check: DetailsCheck, Result: passIf(complete)}
}

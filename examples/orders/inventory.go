package orders

import (
	"github.com/mainstemio/mainstem/processor"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/state"
	"github.com/mainstemio/mainstem/stream"
)

// ReservedStore is the name of the store in which Inventory keeps how many pieces of each product are reserved.
const ReservedStore = "reserved-stock"

// A demand is an order and what the warehouse has of its product.
type demand struct {
	Order Order
	Stock int64
}

// demandFor takes a product that the warehouse does not know for one of which it has nothing, so that every order is answered.
func demandFor(o Order, stock *int64) demand {
	if stock == nil {
		return demand{Order: o}
	}
	return demand{Order: o, Stock: *stock}
}

// Inventory reserves the ordered pieces if the warehouse has enough that are not reserved yet. The table holds what the warehouse says;
// what is reserved is the service's own knowledge: a store that its processor reads and changes. Both lie where the product's orders
// are moved to, so no two orders can get the same piece.
func Inventory() (*stream.Topology, error) {
	t := stream.New("inventory-service")

	stock := stream.TableFrom(t, StockTopic, serde.String, PiecesJSON, stream.Named("stock"))
	orders := stream.From(t, OrdersTopic, serde.String, OrderJSON).Filter(Order.IsCreated)
	byProduct := stream.SelectKey(orders, Order.Item).WithSerdes(serde.String, nil)
	demands := stream.LeftJoinTable(byProduct, stock, demandFor, stream.Named("by-product"))

	store := state.KeyValue(ReservedStore, serde.String, PiecesJSON)
	stream.Process(demands, func() processor.Processor[string, demand, string, Validation] {
		return &reservations{store: store}
	}, stream.Connect(store), stream.Named("reserve")).
		To(ValidationsTopic, serde.String, ValidationJSON)

	return t.Build()
}

// reservations is the processor behind Inventory. It has no memory but its store, which is undone and restored with everything else.
type reservations struct {
	store    *state.Builder[state.KeyValueStore[string, int64]]
	reserved state.KeyValueStore[string, int64]
}

// Init implements processor.Processor.
func (p *reservations) Init(ctx processor.Context[string, Validation]) error {
	p.reserved = p.store.In(ctx)
	return nil
}

// Process implements processor.Processor.
func (p *reservations) Process(ctx processor.Context[string, Validation], r processor.Record[string, demand]) error {
	order := r.Value.Order
	reserved, _ := p.reserved.Get(r.Key)
	enough := order.Quantity >= 0 && order.Quantity <= r.Value.Stock-reserved
	if enough {
		p.reserved.Put(r.Key, reserved+order.Quantity)
	}
	ctx.Forward(processor.Record[string, Validation]{
		Key: order.ID, Value: Validation{OrderID: order.ID, Check: InventoryCheck, Result: passIf(enough)}, Time: r.Time, Headers: r.Headers,
	})
	return nil
}

// Close implements processor.Processor.
func (p *reservations) Close() error { return nil }

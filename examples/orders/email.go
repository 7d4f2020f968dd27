package orders

import (
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// PaymentGap is how far the times of an order and of its payment may be apart.
const PaymentGap = time.Minute

// An Email is one that is to be sent.
type Email struct {
	To      string `json:"to" serde:"required"`
	OrderID string `json:"orderId" serde:"required"`
	State   State  `json:"state" serde:"required"`
	Text    string `json:"text"`
}

// A paidOrder is an order and its payment.
type paidOrder struct {
	Order   Order
	Payment Payment
}

func paid(o Order, p Payment) paidOrder { return paidOrder{Order: o, Payment: p} }

func (p paidOrder) customer() int64 { return p.Order.Customer() }

func (p paidOrder) email(c Customer) Email {
	return Email{
		To: c.Email, OrderID: p.Order.ID, State: p.Order.State,
		Text: fmt.Sprintf("Dear %s %s, your order %s (%d %s) is %s. We got your payment of %s %s.",
			c.FirstName, c.LastName, p.Order.ID, p.Order.Quantity, p.Order.Product, p.Order.State, p.Payment.Amount, p.Payment.Ccy),
	}
}

// Emails writes to the customer about every state of an order that has been paid. Orders and payments are joined in a window, since they
// come in either order; customers are few and change rarely: a global table, which can be asked by any key without moving orders.
//
// What is written is published, not sent: a record may be processed again after a crash, but is in the topic once.
func Emails() (*stream.Topology, error) {
	t := stream.New("email-service")

	orders := stream.From(t, OrdersTopic, serde.String, OrderJSON).Filter(Order.HasCustomer)
	payments := stream.From(t, PaymentsTopic, serde.String, PaymentJSON)
	byOrder := stream.SelectKey(payments, Payment.Order).WithSerdes(serde.String, nil)
	customers := stream.GlobalTableFrom(t, CustomersTopic, serde.Int64, CustomerJSON, stream.Named("customers"))

	near := stream.Within(PaymentGap, PaymentGap).Grace(Patience)
	paidOrders := stream.Join(orders, byOrder, near, paid, stream.Named("payments-by-order"), stream.StoresNamed("paid"))
	stream.JoinGlobal(paidOrders, customers, paidOrder.customer, paidOrder.email).To(EmailsTopic, serde.String, EmailJSON)

	return t.Build()
}

// Package orders is a web shop's order system made of services that share nothing but topics.
//
// Purpose. An order is published as CREATED. Three services check it, each by its own rule (Fraud, Inventory, Details); the Aggregator
// publishes it again as VALIDATED or FAILED; Emails writes to the customer once the payment is there. Each service is one topology: a
// window, a join, a table or a processor shows where it is the right tool.
//
// Callers. cmd/orders runs all services in one process; it uses only public packages of Mainstem, as any user's program would.
//
// Owner. All types are plain values without locks. Each state of an order has one writer: CREATED the shop, the others the Aggregator.
//
// Format. JSON in camel case. Amounts are exact, with at most two decimals. A missing customer or product is not a broken record: finding
// it is the business of Details.
//
// Not here: the shop that takes the orders, sending e-mails, programs (cmd).
package orders

import (
	"time"

	"github.com/mainstemio/mainstem/serde"
)

// The topics of the system.
const (
	OrdersTopic      = "orders"              // order id, Order: a record for each state it gets into
	ValidationsTopic = "order-validations"   // order id, Validation
	StockTopic       = "warehouse-inventory" // product, number of pieces in the warehouse
	PaymentsTopic    = "payments"            // payment id, Payment
	CustomersTopic   = "customers"           // customer id, Customer
	EmailsTopic      = "emails"              // order id, Email
)

// The forms of the topics' values. Each is compiled once and safe for concurrent use.
var (
	OrderJSON      = serde.JSON[Order]()
	ValidationJSON = serde.JSON[Validation]()
	PiecesJSON     = serde.JSON[int64]()
	PaymentJSON    = serde.JSON[Payment]()
	CustomerJSON   = serde.JSON[Customer]()
	EmailJSON      = serde.JSON[Email]()
)

// Patience is how long a service may be down, or behind, and its answers still count: it is the grace of all windows. What is needed to
// judge an order is kept for that long.
const Patience = 24 * time.Hour

// A State is how far an order has come.
type State string

// The states of an order.
const (
	Created   State = "CREATED"
	Validated State = "VALIDATED"
	Failed    State = "FAILED"
)

// An Order is what a customer wants to buy.
type Order struct {
	ID         string `json:"id" serde:"required"`
	CustomerID *int64 `json:"customerId"` // nil: not given
	State      State  `json:"state" serde:"required"`
	Product    string `json:"product"` // empty: not given
	Quantity   int64  `json:"quantity"`
	Price      Money  `json:"price"` // of one piece
}

// IsCreated tells whether the order is still to be checked.
func (o Order) IsCreated() bool { return o.State == Created }

// HasCustomer tells whether it is known whose order it is.
func (o Order) HasCustomer() bool { return o.CustomerID != nil }

// Customer is who ordered; only for orders that have a customer.
func (o Order) Customer() int64 { return *o.CustomerID }

// Item is the product.
func (o Order) Item() string { return o.Product }

// In returns the order in another state.
func (o Order) In(s State) Order {
	o.State = s
	return o
}

// A Check is one of the rules that an order must pass.
type Check string

// The checks.
const (
	FraudCheck     Check = "FRAUD_CHECK"
	InventoryCheck Check = "INVENTORY_CHECK"
	DetailsCheck   Check = "ORDER_DETAILS_CHECK"
)

// checks is how many there are.
const checks = 3

// A Result is the outcome of a check.
type Result string

// The results.
const (
	Pass Result = "PASS"
	Fail Result = "FAIL"
)

// passIf is Pass if ok, Fail otherwise.
func passIf(ok bool) Result {
	if ok {
		return Pass
	}
	return Fail
}

// A Validation is what one check says of one order.
type Validation struct {
	OrderID string `json:"orderId" serde:"required"`
	Check   Check  `json:"check" serde:"required"`
	Result  Result `json:"result" serde:"required"`
}

// A Payment pays an order.
type Payment struct {
	ID      string `json:"id" serde:"required"`
	OrderID string `json:"orderId" serde:"required"`
	Ccy     string `json:"ccy"`
	Amount  Money  `json:"amount"`
}

// Order is what is paid.
func (p Payment) Order() string { return p.OrderID }

// A Customer can be written to.
type Customer struct {
	ID        int64  `json:"id" serde:"required"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Email     string `json:"email"`
	Address   string `json:"address"`
}

// Package customer is the Customer Service: it shows the last five payments of each customer from a database of its own.
//
// Purpose. NewSink keeps the table last_payments of customer.db equal to the topic PAYMENT-TRX-AGGR. A Service answers requests
// from that file alone: it goes on when the broker, the pipeline or a payment service is down, and knows no payment channel.
//
// Callers. cmd/customer and `mainstem demo payments` join the two; this package calls connect/sqlite and the database.
//
// Owner. The sink is the only writer. A Service is safe for concurrent requests; the database's own snapshots keep each answer
// consistent while the sink writes.
//
// Format. last_payments(customer_id, position 1..5, …), see Table. GET /customers/{id}/payments answers
// {"customerId":…,"payments":[…]} as in PAYMENT-TRX-AGGR, newest first; GET / is a page for people.
//
// Not here: reading topics (connect/deliver or the node), who may see what.
package customer

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/connect/sqlite"
	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/serde"
)

// SinkName is the name under which positions are kept in customer.db.
const SinkName = "customer-service"

// Table is what the Customer Service keeps.
var Table = sqlite.Table{
	Name: "last_payments",
	Columns: []sqlite.Column{
		{Name: "customer_id", Type: "INTEGER"},
		{Name: "position", Type: "INTEGER"}, // 1 is the newest
		{Name: "trx_id", Type: "INTEGER", NotNull: true},
		{Name: "trx_amount", Type: "TEXT", NotNull: true}, // exact decimal
		{Name: "trx_date", Type: "TEXT", NotNull: true},   // yyyy-MM-ddTHH:mm:ss.SSS, UTC
		{Name: "payment_type", Type: "TEXT", NotNull: true},
		{Name: "account_no", Type: "TEXT"}, // null where the channel has none, as in the next four
		{Name: "account_name", Type: "TEXT"},
		{Name: "bank_name", Type: "TEXT"},
		{Name: "reference_no", Type: "TEXT"},
		{Name: "currency", Type: "TEXT"},
	},
	PrimaryKey: []string{"customer_id", "position"},
	Group:      []string{"customer_id"},
}

// NewSink returns the sink that keeps the database at path. It is to be run on payments.LastFiveTopic.
func NewSink(path string) (connect.Sink, error) {
	return sqlite.New(sqlite.Config[int64, payments.LastFive]{
		Name: SinkName, Path: path, Table: Table,
		Key: serde.Int64, Value: payments.LastFiveJSON,
		Group: func(customer int64) []any { return []any{customer} },
		Rows:  rows,
	})
}

func rows(r sqlite.Record[int64, payments.LastFive]) ([]sqlite.Row, error) {
	if r.Value.CustomerID != r.Key {
		return nil, errors.New("the value's customerId is not the record's key")
	}
	if n := len(r.Value.Payments); n > payments.Keep {
		return nil, fmt.Errorf("%d payments where %d are the most", n, payments.Keep)
	}
	out := make([]sqlite.Row, len(r.Value.Payments))
	for i, p := range r.Value.Payments {
		out[i] = sqlite.Row{
			r.Key, int64(i + 1), p.TrxID, p.TrxAmount.String(), p.TrxDate.String(), p.PaymentType,
			orNull(p.AccountNo), orNull(p.AccountName), orNull(p.BankName), orNull(p.ReferenceNo), orNull(p.Currency),
		}
	}
	return out, nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

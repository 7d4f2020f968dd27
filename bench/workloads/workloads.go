// Package workloads holds what bench/streams.sh measures: the same topologies as the peers' Kafka Streams program.
package workloads

import (
	"fmt"
	"time"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// Topology returns a workload by its name: payments, filtermap, count, window or join.
func Topology(name string) (*stream.Topology, error) {
	if name == "payments" {
		return payments.Pipeline()
	}
	build, known := map[string]func(*stream.Builder) error{"filtermap": filterMap, "count": count, "window": window, "join": join}[name]
	if !known {
		return nil, fmt.Errorf("unknown workload %q", name)
	}
	b := stream.New("bench-" + name)
	if err := build(b); err != nil {
		return nil, err
	}
	return b.Build()
}

const (
	input     = "PAYMENTS-IN"
	customers = "CUSTOMERS"
)

// slim is what filtermap keeps of a payment.
type slim struct {
	TrxID      int64       `json:"trxId"`
	TrxAmount  row.Decimal `json:"trxAmount"`
	CustomerID int64       `json:"customerId"`
	Issuer     string      `json:"issuer"`
}

func filterMap(b *stream.Builder) error {
	limit, err := row.ParseDecimal("250000")
	if err != nil {
		return err
	}
	large := stream.From(b, input, serde.String, payments.CardJSON).Filter(func(p payments.CardPayment) bool { return p.TrxAmount.Cmp(limit) >= 0 })
	stream.MapValues(large, func(p payments.CardPayment) slim {
		return slim{TrxID: p.TrxID, TrxAmount: p.TrxAmount, CustomerID: p.CustomerID, Issuer: p.Issuer}
	}).To("FILTERMAP-OUT", serde.String, serde.JSON[slim]())
	return nil
}

func count(b *stream.Builder) error {
	payments := stream.From(b, input, serde.String, serde.Bytes)
	stream.Count(stream.GroupByKey(payments), stream.Named("COUNTS")).Updates().To("COUNT-OUT", serde.String, serde.Int64)
	return nil
}

func window(b *stream.Builder) error {
	minutes := stream.Tumbling(time.Minute, 10*time.Second).Retention(5 * time.Minute)
	payments := stream.From(b, input, serde.String, serde.Bytes)
	counts := stream.CountWindows(stream.WindowedBy(stream.GroupByKey(payments), minutes), stream.Named("WINDOWS"))
	counts.Updates().To("WINDOW-OUT", stream.WindowedSerde(serde.String, time.Minute), serde.Int64)
	return nil
}

// customer is a row of the table that join looks up.
type customer struct {
	CustomerID int64  `json:"customerId"`
	Name       string `json:"name"`
	City       string `json:"city"`
	Segment    string `json:"segment"`
}

// enriched is a payment with what the table says about its customer.
type enriched struct {
	TrxID      int64       `json:"trxId"`
	TrxAmount  row.Decimal `json:"trxAmount"`
	CustomerID int64       `json:"customerId"`
	Name       string      `json:"name"`
	City       string      `json:"city"`
}

func join(b *stream.Builder) error {
	table := stream.TableFrom(b, customers, serde.String, serde.JSON[customer](), stream.Named("CUSTOMER-STORE"))
	paid := stream.From(b, input, serde.String, payments.CardJSON)
	stream.JoinTable(paid, table, func(p payments.CardPayment, c customer) enriched {
		return enriched{TrxID: p.TrxID, TrxAmount: p.TrxAmount, CustomerID: p.CustomerID, Name: c.Name, City: c.City}
	}).To("JOIN-OUT", serde.String, serde.JSON[enriched]())
	return nil
}

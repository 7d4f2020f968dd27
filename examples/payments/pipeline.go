package payments

import (
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// PipelineName is the application's name: its positions and its state belong to it.
const PipelineName = "payments"

// Pipeline derives the common payments of both channels, and from all common payments, whoever publishes them, the last five of
// each customer. A new channel only has to publish to PaymentTopic.
func Pipeline() (*stream.Topology, error) {
	t := stream.New(PipelineName)

	cards := stream.From(t, CardTopic, serde.String, CardJSON)
	stream.Map(cards, func(key string, c CardPayment) (string, Payment) { return c.SafeKey(key), c.Common() }).
		To(PaymentTopic, serde.String, PaymentJSON)
	transfers := stream.From(t, TransferTopic, serde.String, TransferJSON)
	stream.MapValues(transfers, BankTransfer.Common).To(PaymentTopic, serde.String, PaymentJSON)

	all := stream.From(t, PaymentTopic, serde.String, PaymentJSON)
	byCustomer := stream.GroupBy(all, Payment.Customer, serde.Int64)
	stream.AggregateChanges(byCustomer, LastFive{}, LastFive.Add, LastFiveJSON, stream.Named("last-five"), stream.Published(LastFiveTopic))

	return t.Build()
}

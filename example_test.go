package mainstem_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/serde"
	"github.com/mainstemio/mainstem/stream"
)

// A program opens a node, runs a pipeline in it, and any Kafka client publishes to it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "node")
	check(err)
	defer os.RemoveAll(dir)
	kafka, err := net.Listen("tcp", "127.0.0.1:0") // usually 127.0.0.1:9092
	check(err)
	node, err := mainstem.Open(ctx, dir, mainstem.WithKafka(kafka))
	check(err)
	defer node.Close()

	t := stream.New("shout")
	names := stream.From(t, "names", serde.String, serde.String)
	stream.MapValues(names, strings.ToUpper).To("shouted", serde.String, serde.String)
	topology, err := t.Build()
	check(err)
	_, err = node.Run(topology)
	check(err)

	client, err := kgo.NewClient(kgo.SeedBrokers(node.Kafka()), kgo.ConsumeTopics("shouted"), kgo.AllowAutoTopicCreation())
	check(err)
	defer client.Close()
	check(client.ProduceSync(ctx, &kgo.Record{Topic: "names", Key: []byte("1"), Value: []byte("farah")}).FirstErr())
	check(node.Settle(ctx))
	for _, r := range client.PollFetches(ctx).Records() {
		fmt.Printf("%s: %s\n", r.Key, r.Value)
	}
	// Output: 1: FARAH
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

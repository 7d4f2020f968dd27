package qtt

import "context"

// A Server is an HTTP server of SQL with the topics behind it, as a REST case sees it. One server serves one case. Its methods may be
// called while a request is under way.
//
// It runs with exactly-once processing on one thread, with table scans allowed and with push queries that tap a running query's output.
type Server interface {
	// URL is where requests go: "http://127.0.0.1:8088".
	URL() string

	// CreateTopic makes an empty topic.
	CreateTopic(name string, partitions, replicas int) error

	// Produce writes records to topics, in the partitions of their keys, and returns when they are durable. They become visible together:
	// otherwise joins would see them in the order of their writing, not of their times.
	Produce(ctx context.Context, all []topicRecords) error

	// Consume returns a topic's committed records once there are at least as many, those of a partition in their order.
	Consume(ctx context.Context, topic string, atLeast int) ([]Record, error)

	// Settle returns when the persistent queries have processed all that their topics hold.
	Settle(ctx context.Context) error

	// AwaitPush returns when a push query runs that will see records produced from now on.
	AwaitPush(ctx context.Context) error

	Close() error
}

// topicRecords are records of one topic.
type topicRecords struct {
	topic   string
	records []Record
}

// openREST opens a server for a case. It shares the registry with the runner.
type openREST func(*Registry) (Server, error)

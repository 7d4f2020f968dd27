package deliver_test

import (
	"context"
	"log"
	"os/signal"
	"syscall"

	"github.com/mainstemio/mainstem/connect/deliver"
	"github.com/mainstemio/mainstem/connect/sqlite"
	"github.com/mainstemio/mainstem/serde"
)

// A service keeps the names of users, as a topic has them, in its own database.
func Example() {
	sink, err := sqlite.New(sqlite.Config[int64, string]{
		Name: "users", Path: "users.db", Key: serde.Int64, Value: serde.String,
		Table: sqlite.Table{
			Name:       "users",
			Columns:    []sqlite.Column{{Name: "id", Type: "INTEGER"}, {Name: "name", Type: "TEXT"}},
			PrimaryKey: []string{"id"}, Group: []string{"id"},
		},
		Group: func(id int64) []any { return []any{id} },
		Rows:  func(r sqlite.Record[int64, string]) ([]sqlite.Row, error) { return []sqlite.Row{{r.Key, r.Value}}, nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err = deliver.Run(ctx, sink, deliver.Config{Brokers: []string{"127.0.0.1:9092"}, Topics: []string{"USERS"}})
	if err != nil {
		log.Print(err)
	}
}

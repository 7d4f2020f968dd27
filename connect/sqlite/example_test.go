package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mainstemio/mainstem/connect"
	"github.com/mainstemio/mainstem/connect/sqlite"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/serde"
)

// A topic of names by user id becomes a table of users.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	sink, err := sqlite.New(sqlite.Config[int64, string]{
		Name: "users",
		Path: filepath.Join(dir, "users.db"),
		Table: sqlite.Table{
			Name:       "users",
			Columns:    []sqlite.Column{{Name: "id", Type: "INTEGER"}, {Name: "name", Type: "TEXT"}},
			PrimaryKey: []string{"id"},
			Group:      []string{"id"},
		},
		Key:   serde.Int64,
		Value: serde.String,
		Group: func(id int64) []any { return []any{id} },
		Rows: func(r sqlite.Record[int64, string]) ([]sqlite.Row, error) {
			return []sqlite.Row{{r.Key, r.Value}}, nil
		},
	})
	if err != nil {
		panic(err)
	}
	defer sink.Close()
	ctx, users := context.Background(), record.TopicPartition{Topic: "users"}
	if _, err := sink.Open(ctx); err != nil {
		panic(err)
	}
	key, _ := serde.Int64.Append(nil, 7)
	err = sink.Write(ctx, connect.Batch{
		Records:   []record.Record{{TopicPartition: users, Offset: 0, Key: key, Value: []byte("Farah")}},
		Positions: map[record.TopicPartition]connect.Position{users: {Offset: 1}},
	})
	if err != nil {
		panic(err)
	}
	_ = sink.Close()
	held, err := sink.Open(ctx) // as after a restart
	fmt.Println(held[users].Offset, err)
	// Output: 1 <nil>
}

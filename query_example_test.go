package mainstem_test

import (
	"context"
	"fmt"
	"os"

	"github.com/mainstemio/mainstem"
)

// A program looks rows up in a table that a query keeps, and takes what comes.
func ExampleNode_Query() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "node")
	check(err)
	defer os.RemoveAll(dir)
	node, err := mainstem.Open(ctx, dir)
	check(err)
	defer node.Close()
	_, err = node.SQL(ctx, `
		CREATE STREAM visits (who VARCHAR, page VARCHAR) WITH (kafka_topic='visits', value_format='JSON', partitions=1);
		CREATE TABLE pages AS SELECT page, COUNT(*) AS n FROM visits GROUP BY page;
		INSERT INTO visits VALUES ('ada', '/');
		INSERT INTO visits VALUES ('bob', '/');`, map[string]string{"auto.offset.reset": "earliest"})
	check(err)
	check(node.Settle(ctx))

	pull, err := node.Query(ctx, "SELECT n FROM pages WHERE page = '/';", nil)
	check(err)
	defer pull.Close()
	for row, err := range pull.All(ctx) {
		check(err)
		fmt.Println(pull.Columns(), row.Values.At(0).Int64())
	}

	push, err := node.Query(ctx, "SELECT who FROM visits EMIT CHANGES LIMIT 2;", map[string]string{"auto.offset.reset": "earliest"})
	check(err)
	defer push.Close()
	for row, err := range push.All(ctx) {
		check(err)
		fmt.Println(row.Values.At(0).Text())
	}
	// Output:
	// `N` BIGINT 2
	// ada
	// bob
}

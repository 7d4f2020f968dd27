package mainstem_test

import (
	"context"
	"encoding/binary"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/mainstemio/mainstem"
)

const avroVisits = `
CREATE STREAM visits (who VARCHAR, page VARCHAR) WITH (kafka_topic='visits', value_format='AVRO', partitions=1);
CREATE STREAM pages WITH (kafka_topic='pages', value_format='PROTOBUF') AS SELECT page FROM visits;
`

// A node is its own schema registry: for its SQL, and for clients at its HTTP address. It is the same one after a restart.
func TestTheNodeIsItsOwnSchemaRegistry(t *testing.T) {
	dir := t.TempDir()
	for run := range 2 {
		page, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		n := open(t, dir, mainstem.WithHTTP(page))
		if run == 0 {
			if _, err := n.SQL(within(t), avroVisits, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := n.SQL(within(t), `INSERT INTO visits (who, page) VALUES ('ada', '/');`, nil); err != nil {
			t.Fatal(err)
		}
		c, err := sr.NewClient(sr.URLs("http://" + page.Addr().String()))
		if err != nil {
			t.Fatal(err)
		}
		visits, err := c.SchemaByVersion(within(t), "visits-value", 1)
		if err != nil || visits.Type != sr.TypeAvro {
			t.Errorf("%+v, %v", visits, err)
		}
		pages, err := c.SchemaByVersion(within(t), "pages-value", -1)
		if err != nil || pages.Type != sr.TypeProtobuf || pages.Version != 1 {
			t.Errorf("%+v, %v", pages, err)
		}
		for i, value := range n.values("pages", run+1) {
			if len(value) < 5 || int(binary.BigEndian.Uint32(value[1:])) != pages.ID {
				t.Errorf("record %d has the header %x, its schema is %d", i, value, pages.ID)
			}
		}
		n.close()
	}
}

// With a registry of others the node has none of its own.
func TestARegistryOfOthers(t *testing.T) {
	fake := srfake.New()
	defer fake.Close()
	page, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := open(t, t.TempDir(), mainstem.WithSchemaRegistry(fake.URL()), mainstem.WithHTTP(page))
	if _, err := n.SQL(within(t), avroVisits, nil); err != nil {
		t.Fatal(err)
	}
	c, err := sr.NewClient(sr.URLs(fake.URL()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SchemaByVersion(within(t), "visits-value", 1); err != nil {
		t.Error(err)
	}
	own, err := sr.NewClient(sr.URLs("http://" + page.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	if subjects, err := own.Subjects(within(t)); err == nil {
		t.Errorf("the node has subjects %v", subjects)
	}
}

// values reads a topic from its start until it has n values.
func (n *node) values(topic string, count int) [][]byte {
	n.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(n.Kafka()), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	var out [][]byte
	for len(out) < count {
		fetches := c.PollFetches(within(n.t))
		if err := fetches.Err(); err != nil {
			n.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { out = append(out, r.Value) })
	}
	return out
}

// A registry that cannot be is an error of Open.
func TestARegistryWithoutAnAddress(t *testing.T) {
	if _, err := mainstem.Open(context.Background(), t.TempDir(), mainstem.WithSchemaRegistry("nowhere")); err == nil {
		t.Error("a node with a registry nowhere")
	}
}

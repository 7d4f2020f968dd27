package kafka

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/mainstemio/mainstem/internal/server/kafka/guard"
	"github.com/mainstemio/mainstem/internal/server/kafka/guard/guardtest"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func newFiller(seed uint64) *guardtest.Filler {
	return guardtest.NewFiller(rand.New(rand.NewPCG(seed, 1)))
}

// impatient is the machine's clock with timers that are over at once: no long poll waits.
type impatient struct{ clock.Clock }

func (impatient) After(time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	c <- time.Time{}
	return c
}

// newTestConn makes a connection that is driven by hand, without goroutines or a socket.
func newTestConn(t testing.TB) *conn {
	b := newBroker(t, broker.Options{})
	if res, err := b.AutoCreate("t").Wait(context.Background()); err != nil || res.Err != nil {
		t.Fatal(err, res.Err)
	}
	s := New(Options{Broker: b, Clock: impatient{clock.System}})
	here, there := net.Pipe()
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return &conn{s: s, nc: here, node: s.newNode(here)}
}

// run takes a frame's bytes through header, guard, decoding and handler, and encodes the answer. A parked request is left.
func (c *conn) run(frame []byte) error {
	h, rest, err := parseHeader(frame)
	if err != nil {
		return err
	}
	ex := exchange{header: h}
	defer func() { c.s.budget.Release(ex.hold) }()
	wait, err := c.start(context.Background(), &ex, rest)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.patience(h.key))
	defer cancel()
	a, err := wait(ctx)
	if err != nil || a == nil {
		return err
	}
	if f, ok := a.(*fetchAnswer); ok {
		defer f.release()
	}
	out := a.AppendTo(nil)
	resp := kmsg.ResponseForKey(h.key)
	resp.SetVersion(h.version)
	if h.key == keyApiVersions && h.version > dispatch[keyApiVersions].max || h.version < 0 {
		resp.SetVersion(0)
	}
	return resp.ReadFrom(out)
}

// patience is short for what may be parked for as long as the request says.
func (c *conn) patience(key int16) time.Duration {
	if key == 11 || key == 14 {
		return time.Millisecond
	}
	return patience
}

// served calls f for every key and version that the dispatch table serves.
func served(f func(key, version int16)) {
	var keys []int16
	for key := range dispatch {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		for v := dispatch[key].served; v <= dispatch[key].max; v++ {
			f(key, v)
		}
	}
}

func TestEveryServedRequestHasAShape(t *testing.T) {
	shaped := guard.Keys()
	for key, a := range dispatch {
		if !shaped[key] {
			t.Errorf("key %d has no shape", key)
		}
		if most := kmsg.RequestForKey(key).MaxVersion(); a.max > most || a.min > a.served || a.served > a.max {
			t.Errorf("key %d: versions %d, %d, %d; kmsg knows up to %d", key, a.min, a.served, a.max, most)
		}
	}
	for key := range shaped {
		if _, ok := dispatch[key]; !ok {
			t.Errorf("key %d has a shape and is not served", key)
		}
	}
}

// unanswered are errors with which a valid request may end a connection.
func unanswered(err error) bool {
	return errors.Is(err, errUnacknowledged) || errors.Is(err, context.DeadlineExceeded)
}

func TestEveryServedRequestTakesEmptyAndSmallAndLargeArrays(t *testing.T) {
	c := newTestConn(t)
	for _, x := range []struct {
		name   string
		length int
		rounds int
	}{{"zero", -1, 1}, {"empty", 0, 3}, {"one element", 1, 10}, {"some elements", 3, 5}, {"many elements", 14, 1}} {
		t.Run(x.name, func(t *testing.T) {
			served(func(key, version int16) {
				f := newFiller(uint64(key)<<16 | uint64(version))
				f.Length = func() int { return x.length }
				for range x.rounds {
					req := kmsg.RequestForKey(key)
					req.SetVersion(version)
					if x.length >= 0 {
						req = f.Request(key, version)
					}
					frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)[4:]
					if err := c.run(frame); err != nil && !unanswered(err) {
						t.Errorf("%s v%d: %v", kmsg.Key(key).Name(), version, err)
					}
				}
			})
		})
	}
}

func TestMaximalArraysAreAnsweredOrRefused(t *testing.T) {
	c := newTestConn(t)
	const many = 5000
	served(func(key, version int16) {
		for wide := 1; wide <= 3; wide++ { // the array that is long, counted from the outside
			f := newFiller(1)
			arrays := 0
			f.Length = func() int {
				if arrays++; arrays == wide {
					return many
				}
				return 1
			}
			f.Tags = false
			frame := kmsg.NewRequestFormatter().AppendRequest(nil, f.Request(key, version), 1)[4:]
			if err := c.run(frame); err != nil && !unanswered(err) && !errors.Is(err, guard.ErrTooCostly) && !errors.Is(err, guard.ErrMalformed) {
				t.Errorf("%s v%d: %v", kmsg.Key(key).Name(), version, err)
			}
		}
	})
}

// A request that names one thing again and again must not be answered with as many copies of something large.
func TestRepeatedNamesAreAnsweredOnce(t *testing.T) {
	s := serve(t, Options{})
	topic := s.topic(t, "t", 3, nil)
	c := s.dial(t)
	metadata := inVersion(kmsg.NewPtrMetadataRequest(), 12)
	configs := inVersion(kmsg.NewPtrDescribeConfigsRequest(), 4)
	groups := inVersion(kmsg.NewPtrDescribeGroupsRequest(), 5)
	offsets := inVersion(kmsg.NewPtrOffsetFetchRequest(), 9)
	transactions := inVersion(kmsg.NewPtrDescribeTransactionsRequest(), 0)
	producers := inVersion(kmsg.NewPtrDescribeProducersRequest(), 0)
	for range 3 {
		metadata.Topics = append(metadata.Topics, kmsg.MetadataRequestTopic{Topic: kmsg.StringPtr("t")}, kmsg.MetadataRequestTopic{TopicID: topic.ID})
		configs.Resources = append(configs.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t"})
		groups.Groups = append(groups.Groups, "g")
		offsets.Groups = append(offsets.Groups, kmsg.OffsetFetchRequestGroup{Group: "g"})
		transactions.TransactionalIDs = append(transactions.TransactionalIDs, "id")
		producers.Topics = append(producers.Topics, kmsg.DescribeProducersRequestTopic{Topic: "t", Partitions: []int32{0, 0}})
	}
	for name, got := range map[string]int{
		"metadata, by name and by id": len(ask[*kmsg.MetadataResponse](c, metadata).Topics) - 1,
		"configs":                     len(ask[*kmsg.DescribeConfigsResponse](c, configs).Resources),
		"groups":                      len(ask[*kmsg.DescribeGroupsResponse](c, groups).Groups),
		"offsets":                     len(ask[*kmsg.OffsetFetchResponse](c, offsets).Groups),
		"transactions":                len(ask[*kmsg.DescribeTransactionsResponse](c, transactions).TransactionStates),
		"producers":                   len(ask[*kmsg.DescribeProducersResponse](c, producers).Topics[0].Partitions),
	} {
		if got != 1 {
			t.Errorf("%s: %d answers", name, got)
		}
	}
}

func FuzzRequestHeader(f *testing.F) {
	served(func(key, version int16) {
		req := kmsg.RequestForKey(key)
		req.SetVersion(version)
		f.Add(kmsg.NewRequestFormatter(kmsg.FormatterClientID("c")).AppendRequest(nil, req, 1)[4:])
	})
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, rest, err := parseHeader(frame)
		if err != nil {
			return
		}
		for _, flexible := range []bool{false, true} {
			body, err := h.parseClient(rest, flexible)
			if err == nil && (len(body) > len(rest) || len(h.clientID) > maxClientID) {
				t.Fatalf("body of %d bytes in %d, client id of %d", len(body), len(rest), len(h.clientID))
			}
		}
	})
}

// FuzzRequest takes any bytes through guard, decoding, handler and encoding on a live broker: nothing panics, every answer can be
// decoded.
func FuzzRequest(f *testing.F) {
	served(func(key, version int16) {
		for seed := range uint64(2) {
			f.Add(kmsg.NewRequestFormatter().AppendRequest(nil, newFiller(seed).Request(key, version), 1)[4:])
		}
	})
	c := newTestConn(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		err := c.run(frame)
		if err != nil && !unanswered(err) && !answerable(err) {
			t.Fatal(err)
		}
	})
}

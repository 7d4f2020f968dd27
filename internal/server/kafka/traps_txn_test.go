package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/clock"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// initTxn opens a transactional id.
func initTxn(c *rawClient, id string, timeout time.Duration) *kmsg.InitProducerIDResponse {
	c.t.Helper()
	req := inVersion(kmsg.NewPtrInitProducerIDRequest(), 4)
	req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = &id, int32(timeout.Milliseconds()), -1, -1
	resp := ask[*kmsg.InitProducerIDResponse](c, req)
	wantCode(c.t, "init "+id, resp.ErrorCode, nil)
	return resp
}

func addPartition(c *rawClient, id string, p *kmsg.InitProducerIDResponse) int16 {
	c.t.Helper()
	req := inVersion(kmsg.NewPtrAddPartitionsToTxnRequest(), 3)
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, p.ProducerID, p.ProducerEpoch
	req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "t", Partitions: []int32{0}}}
	return ask[*kmsg.AddPartitionsToTxnResponse](c, req).Topics[0].Partitions[0].ErrorCode
}

func endTxn(c *rawClient, version int16, id string, p *kmsg.InitProducerIDResponse, commit bool) *kmsg.EndTxnResponse {
	c.t.Helper()
	req := inVersion(kmsg.NewPtrEndTxnRequest(), version)
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = id, p.ProducerID, p.ProducerEpoch, commit
	return ask[*kmsg.EndTxnResponse](c, req)
}

func TestTrap12EndTxnWithoutAnyProduceSucceedsAndItsRetryGetsTheSameAnswer(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	for _, version := range []int16{3, 5} {
		id := "id" + itoa(int32(version))
		p := initTxn(c, id, time.Minute)
		wantCode(t, "add partitions", addPartition(c, id, p), nil)
		first := endTxn(c, version, id, p, true)
		wantCode(t, "commit", first.ErrorCode, nil)
		if version >= 5 && (first.ProducerID != p.ProducerID || first.ProducerEpoch != p.ProducerEpoch+1) {
			t.Errorf("v5: producer %d/%d after %d/%d", first.ProducerID, first.ProducerEpoch, p.ProducerID, p.ProducerEpoch)
		}
		again := endTxn(c, version, id, p, true)
		if again.ErrorCode != 0 || again.ProducerID != first.ProducerID || again.ProducerEpoch != first.ProducerEpoch {
			t.Errorf("v%d: retry %+v, first %+v", version, again, first)
		}
	}
}

func TestTrap12CommitAfterATimeoutAbortIsFenced(t *testing.T) {
	clk := clock.NewManual(time.UnixMilli(1e12))
	s := serve(t, Options{Broker: newBroker(t, broker.Options{Clock: clk})})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	p := initTxn(c, "id", time.Second)
	wantCode(t, "add partitions", addPartition(c, "id", p), nil)
	clk.Advance(time.Minute)
	aborted := func() bool {
		d, ok := s.broker.DescribeTransaction("id")
		return ok && d.State != "Ongoing"
	}
	for deadline := time.Now().Add(patience); !aborted(); {
		if time.Now().After(deadline) {
			t.Fatal("the transaction is not aborted")
		}
		// Any request makes the broker look at its clock.
		if _, err := s.broker.ListGroups().Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "commit", endTxn(c, 3, "id", p, true).ErrorCode, kerr.ProducerFenced)
}

// KIP-1228: with TV2 the marker is strictly newer than the data that it ends, so that nothing late can follow it.
func TestTrap12MarkersAreNewerThanWhatTheyEnd(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	p := initTxn(c, "id", time.Minute)
	for version, bump := range map[int16]int16{4: 0, 5: 1} {
		wantCode(t, "add partitions", addPartition(c, "id", p), nil)
		end := s.broker.ListOffset(broker.TopicRef{Name: "t"}, 0, -1, false).Offset
		wantCode(t, "produce", transactional(c, "id", p, 0, 0), nil)
		ended := endTxn(c, version, "id", p, true)
		wantCode(t, "commit", ended.ErrorCode, nil)
		got := toldPartitions(ask[*kmsg.FetchResponse](c, fetchRequest(12, "t", int64(end)+1)))[0]
		marker, _, err := batch.Next(got.RecordBatches)
		if err != nil {
			t.Fatalf("v%d: %v in %d bytes", version, err, len(got.RecordBatches))
		}
		if !marker.Control() || marker.ProducerEpoch() != p.ProducerEpoch+bump {
			t.Errorf("v%d: marker %v of epoch %d after data of %d", version, marker.Control(), marker.ProducerEpoch(), p.ProducerEpoch)
		}
		if late := transactional(c, "id", p, 0, 1); bump == 1 {
			wantCode(t, "data after the marker", late, kerr.InvalidProducerEpoch)
		} else {
			wantCode(t, "data outside a transaction", late, kerr.InvalidTxnState)
		}
		p = initTxn(c, "id", time.Minute)
	}
}

// The next transaction never meets the end of the last one: an end is one frame, so CONCURRENT_TRANSACTIONS has no place.
func TestTrap12TheNextTransactionNeedNotWaitForTheEnd(t *testing.T) {
	s := serve(t, Options{})
	s.topic(t, "t", 1, nil)
	c := s.dial(t)
	p := initTxn(c, "id", time.Minute)
	wantCode(t, "add partitions", addPartition(c, "id", p), nil)
	wantCode(t, "produce", transactional(c, "id", p, 0, 0), nil)
	req := inVersion(kmsg.NewPtrEndTxnRequest(), 3)
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = "id", p.ProducerID, p.ProducerEpoch, true
	add := inVersion(kmsg.NewPtrAddPartitionsToTxnRequest(), 3)
	add.TransactionalID, add.ProducerID, add.ProducerEpoch = "id", p.ProducerID, p.ProducerEpoch
	add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "t", Partitions: []int32{0}}}
	ended, added := c.send(req), c.send(add) // nobody waits for the end
	wantCode(t, "commit", answerTo[*kmsg.EndTxnResponse](c, req, ended).ErrorCode, nil)
	wantCode(t, "add", answerTo[*kmsg.AddPartitionsToTxnResponse](c, add, added).Topics[0].Partitions[0].ErrorCode, nil)
	wantCode(t, "produce", transactional(c, "id", p, 0, 1), nil)
}

package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionFetch is a Fetch for a session of topic; partitions are wanted from offset 0.
func sessionFetch(version int16, topic *broker.Topic, id, epoch int32, partitions ...int32) *kmsg.FetchRequest {
	req := inVersion(kmsg.NewPtrFetchRequest(), version)
	req.SessionID, req.SessionEpoch, req.MaxBytes = id, epoch, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic.Name, topic.ID
	for _, n := range partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.PartitionMaxBytes = n, 1<<20
		t.Partitions = append(t.Partitions, p)
	}
	if len(partitions) > 0 {
		req.Topics = append(req.Topics, t)
	}
	return req
}

// toldPartitions lists the partitions of an answer.
func toldPartitions(resp *kmsg.FetchResponse) []kmsg.FetchResponseTopicPartition {
	var out []kmsg.FetchResponseTopicPartition
	for _, t := range resp.Topics {
		out = append(out, t.Partitions...)
	}
	return out
}

func TestFetchSessionTellsOnlyNews(t *testing.T) {
	s := serve(t, Options{})
	topic := s.topic(t, "t", 3, nil)
	for _, v := range []int16{7, 11, 12, 13, 18} {
		c := s.dial(t)
		first := ask[*kmsg.FetchResponse](c, sessionFetch(v, topic, 0, 0, 0, 1, 2))
		if first.SessionID <= 0 || len(toldPartitions(first)) != 3 {
			t.Fatalf("v%d: session %d, %d partitions", v, first.SessionID, len(toldPartitions(first)))
		}
		// The session wants everything from offset 0: what older versions left is told again, and nothing else is.
		had := 0
		for _, p := range toldPartitions(first) {
			if len(p.RecordBatches) > 0 {
				had++
			}
		}
		next := ask[*kmsg.FetchResponse](c, sessionFetch(v, topic, first.SessionID, 1))
		if next.ErrorCode != 0 || next.SessionID != first.SessionID || len(toldPartitions(next)) != had {
			t.Fatalf("v%d: code %d, session %d, %d partitions", v, next.ErrorCode, next.SessionID, len(toldPartitions(next)))
		}
		forget := sessionFetch(v, topic, first.SessionID, 2)
		forget.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: topic.Name, TopicID: topic.ID, Partitions: []int32{0}}}
		if got := toldPartitions(ask[*kmsg.FetchResponse](c, forget)); len(got) != 0 {
			t.Fatalf("v%d: forgotten, and told %+v", v, got)
		}
		wantCode(t, "produce", ask[*kmsg.ProduceResponse](c, produceRequest(9, "t", 0, batchOf(plainBatch, testRecord{1, "k", "v"}))).Topics[0].Partitions[0].ErrorCode, nil)
		if got := toldPartitions(ask[*kmsg.FetchResponse](c, sessionFetch(v, topic, first.SessionID, 3))); len(got) != 0 {
			t.Errorf("v%d: forgotten, and told %+v", v, got)
		}
		got := toldPartitions(ask[*kmsg.FetchResponse](c, sessionFetch(v, topic, first.SessionID, 4, 0)))
		if len(got) != 1 || got[0].Partition != 0 || len(got[0].RecordBatches) == 0 {
			t.Errorf("v%d: wanted again, and told %+v", v, got)
		}
	}
}

func TestFetchSessionErrors(t *testing.T) {
	s := serve(t, Options{})
	topic := s.topic(t, "t", 1, nil)
	c := s.dial(t)
	id := ask[*kmsg.FetchResponse](c, sessionFetch(12, topic, 0, 0, 0)).SessionID
	for _, x := range []struct {
		name      string
		version   int16
		id, epoch int32
		want      *kerr.Error
	}{
		{"unknown session", 12, id ^ 1, 1, kerr.FetchSessionIDNotFound},
		{"no session", 12, 0, 1, kerr.FetchSessionIDNotFound},
		{"epoch", 12, id, 2, kerr.InvalidFetchSessionEpoch},
		{"by id", 13, id, 1, kerr.FetchSessionTopicIDError},
		{"good", 12, id, 1, nil},
	} {
		resp := ask[*kmsg.FetchResponse](c, sessionFetch(x.version, topic, x.id, x.epoch))
		wantCode(t, x.name, resp.ErrorCode, x.want)
		if x.want != nil && (resp.SessionID != 0 || len(resp.Topics) != 0) {
			t.Errorf("%s: session %d, %d topics", x.name, resp.SessionID, len(resp.Topics))
		}
	}
	closed := ask[*kmsg.FetchResponse](c, sessionFetch(12, topic, id, -1, 0))
	if closed.ErrorCode != 0 || closed.SessionID != 0 || len(toldPartitions(closed)) != 1 {
		t.Errorf("closing: %+v", closed)
	}
	wantCode(t, "closed", ask[*kmsg.FetchResponse](c, sessionFetch(12, topic, id, 2)).ErrorCode, kerr.FetchSessionIDNotFound)
}

func TestFetchSessionsAreFewAndTheRestIsAnsweredInFull(t *testing.T) {
	s := serve(t, Options{FetchSessions: 1})
	topic := s.topic(t, "t", 1, nil)
	c := s.dial(t)
	if id := ask[*kmsg.FetchResponse](c, sessionFetch(12, topic, 0, 0, 0)).SessionID; id == 0 {
		t.Error("no first session")
	}
	if resp := ask[*kmsg.FetchResponse](c, sessionFetch(12, topic, 0, 0, 0)); resp.SessionID != 0 || len(toldPartitions(resp)) != 1 {
		t.Errorf("second session %d", resp.SessionID)
	}
}

func TestFetchSessionLongPollWakesWithNewsOfItsPartitions(t *testing.T) {
	s := serve(t, Options{})
	topic := s.topic(t, "t", 2, nil)
	consumer, producer := s.dial(t), s.dial(t)
	id := ask[*kmsg.FetchResponse](consumer, sessionFetch(13, topic, 0, 0, 0, 1)).SessionID
	req := sessionFetch(13, topic, id, 1)
	req.MaxWaitMillis, req.MinBytes = int32(time.Hour.Milliseconds()), 1
	sent := consumer.send(req)
	wantCode(t, "produce", producer.produce("t", batchOf(plainBatch, testRecord{1, "k", "v"})).ErrorCode, nil)
	got := toldPartitions(answerTo[*kmsg.FetchResponse](consumer, req, sent))
	if len(got) != 1 || got[0].Partition != 0 || len(got[0].RecordBatches) == 0 {
		t.Errorf("%+v", got)
	}
	// A topic that goes away wakes its readers, too.
	req.SessionEpoch = 2
	req.Topics = sessionFetch(13, topic, id, 2, 0).Topics
	req.Topics[0].Partitions[0].FetchOffset = 1
	sent = consumer.send(req)
	if _, err := s.broker.DeleteTopics([]broker.TopicRef{{Name: "t"}}).Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	got = toldPartitions(answerTo[*kmsg.FetchResponse](consumer, req, sent))
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	for _, p := range got {
		wantCode(t, "deleted", p.ErrorCode, kerr.UnknownTopicID)
	}
}

// A partition that does not exist is told at once when it is alone, and hurries nobody when there are others to wait for.
func TestUnknownPartitionsDoNotHurryAFetch(t *testing.T) {
	s := serve(t, Options{})
	topic := s.topic(t, "t", 1, nil)
	consumer, producer := s.dial(t), s.dial(t)
	req := sessionFetch(12, topic, 0, -1, 0, 9)
	req.MaxWaitMillis, req.MinBytes = int32(time.Hour.Milliseconds()), 1
	sent := consumer.send(req)
	wantCode(t, "produce", producer.produce("t", batchOf(plainBatch, testRecord{1, "k", "v"})).ErrorCode, nil)
	got := toldPartitions(answerTo[*kmsg.FetchResponse](consumer, req, sent))
	if len(got) != 2 || len(got[0].RecordBatches) == 0 {
		t.Fatalf("%+v", got)
	}
	wantCode(t, "partition 9", got[1].ErrorCode, kerr.UnknownTopicOrPartition)
}

package txn

import (
	"time"

	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// AddPartitions opens the transaction if none is open and adds partitions to it. at becomes the start. Partitions that are in it
// already need no record. Errors as in Check.
func (t *Txns) AddPartitions(now time.Duration, at record.Timestamp, id string, p Producer, tps []record.TopicPartition) (records [][]byte, err *kerr.Error) {
	o, err := t.find(id, p)
	if err != nil {
		return nil, err
	}
	var added []record.TopicPartition
	for _, tp := range tps {
		if _, ok := o.partitions[tp]; !ok {
			o.partitions[tp] = struct{}{}
			added = append(added, tp)
		}
	}
	if len(added) == 0 {
		return nil, nil
	}
	t.open(now, at, o)
	return [][]byte{appendAdded(nil, o, added, nil)}, nil
}

// AddGroup adds a group whose offsets the transaction commits; it opens the transaction as AddPartitions does.
func (t *Txns) AddGroup(now time.Duration, at record.Timestamp, id string, p Producer, group string) (records [][]byte, err *kerr.Error) {
	o, err := t.find(id, p)
	if err != nil {
		return nil, err
	}
	if _, ok := o.groups[group]; ok {
		return nil, nil
	}
	o.groups[group] = struct{}{}
	t.open(now, at, o)
	return [][]byte{appendAdded(nil, o, nil, []string{group})}, nil
}

// open begins a transaction unless one is open; its timeout runs from here, whatever is added later.
func (t *Txns) open(now time.Duration, at record.Timestamp, o *owner) {
	if o.begin(at) {
		t.timers.Set(&o.timer, now+o.timeout)
	}
}

func (o *owner) begin(at record.Timestamp) bool {
	if o.state == ongoing {
		return false
	}
	o.state, o.started, o.initFrom, o.ended = ongoing, at, None, None
	return true
}

// Open reports whether p has an open transaction that includes tp: Produce of TV1 must fail with INVALID_TXN_STATE otherwise.
func (t *Txns) Open(id string, p Producer, tp record.TopicPartition) bool {
	o, err := t.find(id, p)
	if err != nil || o.state != ongoing {
		return false
	}
	_, ok := o.partitions[tp]
	return ok
}

// End ends the open transaction. bump (TV2, EndTxn v5+) raises the epoch for the next one: next is who the caller is from now on.
// A retry of an end already done gives the same answer with done = true and no End. With bump an abort without an open
// transaction is an End too, of nothing but the epoch (KIP-890: a producer that does not know whether its transaction began).
//
// Errors: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, INVALID_TXN_STATE; which comes when no transaction is open:
//
//	               | same epoch        | bump, same epoch | bump, the epoch that ended last
//	               | commit  | abort   | commit  | abort  | commit         | abort
//	Empty          | invalid | invalid | invalid | End    | fenced         | fenced
//	CompleteCommit | done    | invalid | invalid | End    | done           | invalid
//	CompleteAbort  | invalid | done    | invalid | End    | fenced         | done
//
// The commit in the last row can only meet an abort by the coordinator, for timeout: the producer has to be told that it was fenced
// (KAFKA-20785). Without bump that producer is fenced by its epoch alone.
func (t *Txns) End(now time.Duration, id string, p Producer, commit, bump bool) (next Producer, end End, done bool, err *kerr.Error) {
	fail := func(err *kerr.Error) (Producer, End, bool, *kerr.Error) { return None, End{}, false, err }
	o := t.ids[id]
	if o != nil && bump && p == o.ended && p != o.producer {
		switch {
		case commit == (o.state == completeCommit):
			return o.producer, End{}, true, nil
		case commit:
			return fail(kerr.ProducerFenced)
		}
		return fail(kerr.InvalidTxnState)
	}
	if o, err = t.find(id, p); err != nil {
		return fail(err)
	}
	out := outcome{commit: commit, marker: p, next: p, ended: p}
	switch {
	case o.state == ongoing, bump && !commit:
	case !bump && o.state == completeCommit && commit, !bump && o.state == completeAbort && !commit:
		return p, End{}, true, nil
	default:
		return fail(kerr.InvalidTxnState)
	}
	if bump {
		out.marker, out.next = t.bump(p)
		out.initFrom = p
	}
	return out.next, t.finish(now, o, out), false, nil
}

// Abort ends the open transaction of a producer id from outside, as its timeout would: with a bumped epoch that nobody is given.
// When no transactional id has one open the End names nothing but p and changes nothing here.
func (t *Txns) Abort(now time.Duration, p Producer) End {
	for _, o := range t.ids {
		if o.producer.ID == p.ID && o.state == ongoing { // an id belongs to one owner at most
			old := o.producer
			marker, next := t.bump(old)
			return t.finish(now, o, outcome{marker: marker, next: next, ended: old})
		}
	}
	return End{Record: appendNextID(nil, t.nextID), Producer: p}
}

// An outcome is how a transaction ends: the package's table tells which.
type outcome struct {
	commit       bool
	marker, next Producer
	ended        Producer
	initFrom     Producer // the zero Producer stands for None
}

// finish ends the transaction of o, which may be empty.
func (t *Txns) finish(now time.Duration, o *owner, out outcome) End {
	end := End{ID: o.id, Producer: out.marker, Commit: out.commit, Partitions: o.sortedPartitions(), Groups: o.sortedGroups()}
	o.state = completeAbort
	if out.commit {
		o.state = completeCommit
	}
	if out.initFrom == (Producer{}) {
		out.initFrom = None
	}
	o.producer, o.ended, o.initFrom = out.next, out.ended, out.initFrom
	o.clear()
	t.timers.Set(&o.timer, now+t.options.Expiry)
	end.Record = appendProducer(nil, o)
	return end
}

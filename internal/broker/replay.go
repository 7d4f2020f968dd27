package broker

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/record"
)

// replayBytes bounds what replay holds in memory before it writes it to the logs.
const replayBytes = 4 << 20

func (r *recovery) replay() (*journal.Journal, error) {
	j, err := r.openJournal()
	if err != nil {
		return nil, err
	}
	r.rescue = rescue{fs: r.o.FS, name: fmt.Sprintf("rescued-%016x", uint64(r.from))}
	r.st.now = record.Timestamp(r.o.Clock.Now().UnixMilli())
	found, err := j.Replay(r.from, func(f journal.Frame) error {
		if err := r.apply(f.Kind, f.Body); err != nil {
			return fmt.Errorf("journal frame %d: %w", f.LSN, err)
		}
		if r.st.dirtyBytes < replayBytes {
			return nil
		}
		return r.st.writeLogs()
	})
	if err == nil {
		err = r.st.writeLogs()
	}
	if err = errors.Join(err, r.rescue.finish(r.home)); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	r.last = found.Last
	return j, nil
}

// apply repeats one frame. body is valid during the call only.
func (r *recovery) apply(kind journal.Kind, body []byte) error {
	switch kind {
	case kindBatch:
		d := decoder{b: body}
		number, base := d.batchHead()
		return r.applyBatch(number, base, d.b, d.err)
	case kindEpoch:
		return r.applyEpoch(body)
	case kindGroup:
		return r.st.groups.Apply(body)
	case kindTxn:
		return r.st.txns.Apply(body)
	case kindTxnEnded:
		f, err := decodeTxnEnded(body)
		if err != nil {
			return err
		}
		if err := r.st.txns.Apply(f.record); err != nil {
			return err
		}
		return r.st.applyTxnEnd(f)
	case kindRecordsDeleted:
		d := decoder{b: body}
		number, start := d.batchHead()
		if err := d.end("deleted records"); err != nil {
			return err
		}
		r.st.applyRecordsDeleted(number, start)
		return nil
	case kindUncleanStart:
		r.st.applyUncleanStart()
		return nil
	case kindFragment:
		return r.applyFragment(body)
	}
	return r.applyTopic(kind, body)
}

func (r *recovery) applyTopic(kind journal.Kind, body []byte) error {
	switch kind {
	case kindTopicCreated:
		f, err := decodeTopicCreated(body)
		if err == nil {
			r.st.applyTopicCreated(f)
		}
		return err
	case kindTopicDeleted:
		id, err := decodeTopicDeleted(body)
		if err != nil {
			return err
		}
		return r.st.applyTopicDeleted(id)
	case kindPartitionsAdded:
		f, err := decodePartitionsAdded(body)
		if err != nil {
			return err
		}
		return r.st.applyPartitionsAdded(f)
	case kindConfigChanged:
		f, err := decodeConfigChanged(body)
		if err != nil {
			return err
		}
		return r.st.applyConfigChanged(f)
	}
	return fmt.Errorf("kind %d: %w", kind, ErrNewerFormat)
}

func (r *recovery) applyFragment(body []byte) error {
	if len(body) < 2 {
		return errShort
	}
	if body[0] != 0 {
		r.fragment = nil // what is here lacks its last fragment: a crash cut it, and it was never acknowledged
	}
	r.fragment = append(r.fragment, body[2:]...)
	kind := journal.Kind(body[1])
	switch kind {
	case 0:
		return nil
	case kindFragment:
		return fmt.Errorf("a fragment holds a fragment: %w", errShort)
	}
	whole := r.fragment
	r.fragment = nil
	return r.apply(kind, whole)
}

// applyBatch repeats one batch; b must outlive the call only until the copy made here.
func (r *recovery) applyBatch(number uint32, base record.Offset, b []byte, err error) error {
	if err != nil {
		return err
	}
	p := r.st.parts[number]
	if p == nil {
		return fmt.Errorf("partition number %d does not exist", number)
	}
	switch damage := p.damage.Load(); damage {
	case nil:
	case &errDoomed:
		return nil
	default:
		return r.rescue.keep(p, r.home.path(number), b)
	}
	v, rest, err := batch.Next(b)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("batch at %d of %v: %w", base, p.TopicPartition, errors.Join(err, errShort))
	}
	if base != p.next || v.BaseOffset() != base {
		return fmt.Errorf("batch at %d of %v does not follow the log, which ends at %d", base, p.TopicPartition, p.next)
	}
	r.st.applyBatch(p, append(batch.View(nil), v...))
	return nil
}

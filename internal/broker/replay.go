package broker

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/batch"
	"github.com/mainstemio/mainstem/internal/broker/frame"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/internal/journal"
	"github.com/mainstemio/mainstem/internal/vfs"
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
		if err := r.apply(frame.Kind(f.Kind), f.Body); err != nil {
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
func (r *recovery) apply(kind frame.Kind, body []byte) error {
	switch kind {
	case frame.KindBatch:
		d := frame.Decoder{B: body}
		number, base := d.BatchHead()
		return r.applyBatch(number, base, d.B, d.Err)
	case frame.KindEpoch:
		return r.applyEpoch(body)
	case frame.KindGroup:
		return r.st.groups.Apply(body)
	case frame.KindTxn:
		return r.st.txns.Apply(body)
	case frame.KindTxnEnded:
		f, err := frame.DecodeTxnEnded(body)
		if err != nil {
			return err
		}
		if err := r.st.txns.Apply(f.Record); err != nil {
			return err
		}
		return r.st.applyTxnEnd(f)
	case frame.KindRecordsDeleted:
		d := frame.Decoder{B: body}
		number, start := d.BatchHead()
		if err := d.End("deleted records"); err != nil {
			return err
		}
		r.st.applyRecordsDeleted(number, start)
		return nil
	case frame.KindAbortsForgotten:
		f, err := frame.DecodeAbortsForgotten(body)
		if err != nil {
			return err
		}
		r.st.applyAbortsForgotten(f)
		return nil
	case frame.KindUncleanStart:
		r.st.applyUncleanStart()
		return nil
	case frame.KindNodeSettings:
		own, all, err := frame.DecodeNodeSettings(body)
		if err == nil {
			r.st.applyNodeSettings(settings.Node{Own: own, All: all})
		}
		return err
	case frame.KindFragment:
		return r.applyFragment(body)
	case frame.KindCredentials, frame.KindACLs:
		return r.st.applySecurity(kind, body)
	}
	return r.applyTopic(kind, body)
}

func (r *recovery) applyTopic(kind frame.Kind, body []byte) error {
	switch kind {
	case frame.KindTopicCreated:
		f, err := frame.DecodeTopicCreated(body)
		if err == nil {
			r.st.applyTopicCreated(f)
			r.doom(r.st.ids[f.ID])
		}
		return err
	case frame.KindTopicDeleted:
		id, err := frame.DecodeTopicDeleted(body)
		if err != nil {
			return err
		}
		return r.st.applyTopicDeleted(id)
	case frame.KindPartitionsAdded:
		f, err := frame.DecodePartitionsAdded(body)
		if err == nil {
			err = r.st.applyPartitionsAdded(f)
		}
		if err == nil {
			r.doom(r.st.ids[f.ID])
		}
		return err
	case frame.KindConfigChanged:
		f, err := frame.DecodeConfigChanged(body)
		if err != nil {
			return err
		}
		return r.st.applyConfigChanged(f)
	}
	return fmt.Errorf("kind %d: %w", kind, ErrNewerFormat)
}

func (r *recovery) applyFragment(body []byte) error {
	if len(body) < 2 {
		return frame.ErrShort
	}
	if body[0] != 0 {
		r.fragment = nil // what is here lacks its last fragment: a crash cut it, and it was never acknowledged
	}
	r.fragment = append(r.fragment, body[2:]...)
	kind := frame.Kind(body[1])
	switch kind {
	case 0:
		return nil
	case frame.KindFragment:
		return fmt.Errorf("a fragment holds a fragment: %w", frame.ErrShort)
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
		return fmt.Errorf("batch at %d of %v: %w", base, p.TopicPartition, errors.Join(err, frame.ErrShort))
	}
	if base != p.next || v.BaseOffset() != base || v.LastOffset() < base {
		return fmt.Errorf("batch at %d of %v does not follow the log, which ends at %d", base, p.TopicPartition, p.next)
	}
	r.st.applyBatch(p, append(batch.View(nil), v...))
	return nil
}

// A rescue keeps the batches that the journal holds for damaged partitions: the journal will be released, and what was acknowledged
// must not go with it. Each partition has one file, named by the checkpoint, so that a repeated recovery writes the same file again.
type rescue struct {
	fs    vfs.FS
	name  string
	files map[*partition]vfs.File
}

// keep appends one batch of p in directory dir.
func (r *rescue) keep(p *partition, dir string, b []byte) error {
	f := r.files[p]
	if f == nil {
		if err := r.fs.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("rescue batches of %v: %w", p.TopicPartition, err)
		}
		var err error
		if f, err = r.fs.Create(r.fs.PathJoin(dir, r.name), vfs.Category); err != nil {
			return fmt.Errorf("rescue batches of %v: %w", p.TopicPartition, err)
		}
		if r.files == nil {
			r.files = map[*partition]vfs.File{}
		}
		r.files[p] = f
	}
	// A file may change the bytes that it writes; b belongs to the journal.
	if _, err := f.Write(append([]byte(nil), b...)); err != nil {
		return fmt.Errorf("rescue batches of %v: %w", p.TopicPartition, err)
	}
	return nil
}

// finish makes the files durable and closes them.
func (r *rescue) finish(home logHome) error {
	var errs []error
	for p, f := range r.files {
		errs = append(errs, f.Sync(), f.Close(), vfs.SyncDir(r.fs, home.path(p.number)))
	}
	r.files = nil
	return errors.Join(errs...)
}

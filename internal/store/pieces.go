package store

import "github.com/mainstemio/mainstem/internal/kv"

const (
	// batchBytes bounds what a checkpoint holds in memory on its way to the database.
	batchBytes = 4 << 20
	// runFrom is how much of a table goes to the batch: what follows becomes a run.
	runFrom = 512 << 10
)

// pieces is a writer of the rows of tables, each in the order of its keys. The last batch is the caller's to commit: its sync makes those
// before it durable too.
type pieces struct {
	db    kv.Store
	b     kv.Batch
	size  int    // of b
	table int    // bytes of the table so far
	run   kv.Run // nil: the table is small so far
	whole []byte // the prefix of the table, if the run has all of its rows
}

func newPieces(db kv.Store) *pieces { return &pieces{db: db, b: db.NewBatch()} }

func (p *pieces) Put(key, value []byte) error {
	w, err := p.writer(len(key) + len(value))
	if err != nil {
		return err
	}
	return w.Put(key, value)
}

func (p *pieces) Delete(key []byte) error {
	w, err := p.writer(len(key))
	if err != nil {
		return err
	}
	return w.Delete(key)
}

// writer returns where the next n bytes go.
func (p *pieces) writer(n int) (kv.Writer, error) {
	if p.run != nil {
		return p.run, nil
	}
	if p.table += n; p.table > runFrom {
		p.run = p.db.NewRun()
		return p.run, nil
	}
	if p.size += n; p.size <= batchBytes {
		return p.b, nil
	}
	err := p.b.Commit(false)
	if err == nil {
		err = p.b.Close()
	}
	p.b, p.size = p.db.NewBatch(), n
	return p.b, err
}

// replace says that all rows of the table with this prefix come: what else there is of it goes when the table ends.
func (p *pieces) replace(prefix []byte) {
	p.run, p.whole = p.db.NewRun(), prefix
}

// endTable ends a table: another one's rows may follow.
func (p *pieces) endTable() error {
	p.table = 0
	if p.run == nil {
		return nil
	}
	var err error
	if p.whole != nil {
		err = p.run.Replace(p.whole, prefixEnd(p.whole))
	} else {
		err = p.run.Commit()
	}
	if err == nil {
		err = p.run.Close()
		p.run, p.whole = nil, nil
	}
	return err
}

// close gives up what is not committed.
func (p *pieces) close() {
	_ = p.b.Close()
	if p.run != nil {
		_ = p.run.Close()
	}
}

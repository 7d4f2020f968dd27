package kv

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// pebbleFormat fixes the files' format: a database is not upgraded by the way when the library is.
const pebbleFormat = pebble.FormatColumnarBlocks

// PebbleOptions of OpenPebble; zero fields take the defaults.
type PebbleOptions struct {
	FS            vfs.FS      // default vfs.Default
	MemTableBytes uint64      // default 2 MiB; up to three exist while flushes lag
	CacheBytes    int64       // cache of blocks, also of filters: 1.25 bytes for a key; default 8 MiB. Memtables and large batches come on top
	OnError       func(error) // told of errors in the background: failing flushes and compactions, slow disks
}

func (o PebbleOptions) withDefaults() PebbleOptions {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 2 << 20
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 8 << 20
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	return o
}

// OpenPebble opens the database in dir, which is made when it is missing, and locks it.
//
// Once a write to the log fails, every Commit fails: the database must be opened again. A failing flush (disk full) makes
// Commit fail too, before it writes, until Pebble's own retry gets through: so a full disk is an error, not a stall. An error
// while the manifest changes panics, for nothing written after it could be trusted; while the database is being opened it is an
// error like others.
func OpenPebble(dir string, o PebbleOptions) (_ Store, err error) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case runtime.Error:
			panic(cause)
		case error:
			err = fmt.Errorf("open database %s: %w", dir, cause)
		default:
			panic(cause)
		}
	}()
	o = o.withDefaults()
	p := &pebbleStore{fs: o.FS, dir: dir, onError: o.OnError}
	options := p.options(o)
	options.EnsureDefaults()
	p.tables = tableOptions(options)
	db, err := pebble.Open(dir, options)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", dir, err)
	}
	if err := p.clearRuns(); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", dir, err), db.Close())
	}
	p.pebbleReader = pebbleReader{dir, db}
	p.db = db
	return p, nil
}

const (
	maxMemTables = 3       // with large batches, which take the place of one
	largeBatch   = 4 << 20 // what writers may collect in a batch
	// maxRuns is how many runs over the same keys wait to be merged with what is below them. Keys come in any order, so a merge takes nearly all
	// of a table: Pebble's own measure, two, has each row merged several times, and merges cost more than the filters of more runs do.
	maxRuns = 8
)

func (p *pebbleStore) options(o PebbleOptions) *pebble.Options {
	const filterBits = 10        // for each key: one look for a missing key in a hundred reads a table
	const indexBytes = 256 << 10 // an index of two levels costs each look another block
	opened := &pebble.Options{
		Levels:                      [7]pebble.LevelOptions{{FilterPolicy: bloom.FilterPolicy(filterBits), IndexBlockSize: indexBytes}}, // the other levels follow the first
		FS:                          orderedFS{o.FS},
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: maxMemTables,
		CacheSize:                   o.CacheBytes + maxMemTables*int64(max(o.MemTableBytes, largeBatch)), // Pebble takes memtables out of it
		L0CompactionThreshold:       2 * maxRuns,
		L0StopWritesThreshold:       4 * maxRuns,
		LBaseMaxBytes:               256 << 20, // smaller databases have one level below the runs
		MaxOpenFiles:                256,
		FormatMajorVersion:          pebbleFormat,
		Logger:                      pebbleLogger{p},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) {
				p.background.Store(&err)
				p.onError(fmt.Errorf("database %s: %w", p.dir, err))
			},
			DiskSlow: func(i pebble.DiskSlowInfo) { p.onError(fmt.Errorf("database %s: %s", p.dir, i)) },
			FlushEnd: func(i pebble.FlushInfo) {
				if i.Err == nil {
					p.background.Store(nil)
				}
			},
		},
	}
	opened.Experimental.CompactionScheduler = &p.merges
	return opened
}

type pebbleStore struct {
	pebbleReader
	fs      vfs.FS
	dir     string
	db      *pebble.DB
	onError func(error)
	merges  compactions
	tables  sstable.WriterOptions // of runs
	runs    atomic.Uint64         // begun so far
	// failed is the error after which nothing can be committed any more; background that of the last flush or compaction.
	failed, background atomic.Pointer[error]
}

// broken returns the error that forbids a commit.
func (p *pebbleStore) broken() error {
	if err := p.failed.Load(); err != nil {
		return *err
	}
	if err := p.background.Load(); err != nil {
		return *err
	}
	return nil
}

// roomBytes is what has to be free for a commit: a log, a flush and a compaction of it. A small disk needs a sixteenth.
const roomBytes = 128 << 20

func (p *pebbleStore) Room() error {
	if err := p.broken(); err != nil {
		return fmt.Errorf("database %s: %w", p.dir, err)
	}
	free, total, ok := vfs.Usage(p.fs, p.dir)
	if least := min(roomBytes, total/16); ok && free < least {
		return fmt.Errorf("database %s: %d bytes are free, %d are needed: %w", p.dir, free, least, ErrFull)
	}
	return nil
}

func (p *pebbleStore) NewBatch() Batch { return &pebbleBatch{p: p, b: p.db.NewBatch()} }

func (p *pebbleStore) Snapshot() (Snapshot, error) {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return nil, fmt.Errorf("snapshot of database %s: %w", p.dir, err)
	}
	return pebbleSnapshot{p.dir, it}, nil
}

// Close implements Store. After a failed commit Pebble's state cannot be trusted to close: the files stay open.
func (p *pebbleStore) Close() error {
	if err := p.failed.Load(); err != nil {
		return fmt.Errorf("close database %s: %w", p.dir, *err)
	}
	if err := p.db.Close(); err != nil {
		return fmt.Errorf("close database %s: %w", p.dir, err)
	}
	return nil
}

// A pebbleFatal is what Pebble calls Fatalf with. It panics in place of ending the process; Commit turns it into its error.
type pebbleFatal struct {
	text  string
	cause error // the error among Fatalf's arguments, if any
}

func (f *pebbleFatal) Error() string { return f.text }
func (f *pebbleFatal) Unwrap() error { return f.cause }

type pebbleLogger struct{ p *pebbleStore }

func (pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.p.onError(fmt.Errorf("database %s: %w", l.p.dir, fmt.Errorf(format, args...)))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	f := &pebbleFatal{text: fmt.Sprintf("database %s: "+format, append([]any{l.p.dir}, args...)...)}
	for _, a := range args {
		if err, ok := a.(error); ok {
			f.cause = err
		}
	}
	var err error = f
	l.p.failed.CompareAndSwap(nil, &err)
	l.p.onError(err)
	panic(f)
}

// recovered turns what Pebble calls fatal into the error of the commit that it is deferred by.
func (*pebbleStore) recovered(err *error) {
	switch f := recover().(type) {
	case nil:
	case *pebbleFatal:
		*err = fmt.Errorf("commit: %w", f)
	default:
		panic(f)
	}
}

type pebbleBatch struct {
	p *pebbleStore
	b *pebble.Batch
}

func (b *pebbleBatch) Put(key, value []byte) error { return b.b.Set(key, value, nil) }
func (b *pebbleBatch) Delete(key []byte) error     { return b.b.Delete(key, nil) }
func (b *pebbleBatch) Len() int                    { return int(b.b.Count()) }
func (b *pebbleBatch) Close() error {
	if b.p.failed.Load() != nil {
		return nil // the failed pipeline may still hold the batch
	}
	return b.b.Close()
}

func (b *pebbleBatch) Commit(sync bool) (err error) {
	if err := b.p.broken(); err != nil {
		return fmt.Errorf("commit to database %s: %w", b.p.dir, err)
	}
	defer b.p.recovered(&err)
	b.p.merges.begin()
	if err := b.b.Commit(&pebble.WriteOptions{Sync: sync}); err != nil {
		return fmt.Errorf("commit to database %s: %w", b.p.dir, err)
	}
	return nil
}

// A pebbleReader reads the newest state or a snapshot's.
type pebbleReader struct {
	dir string
	r   pebble.Reader
}

func (r pebbleReader) Get(key []byte) ([]byte, error) {
	v, closer, err := r.r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read database %s: %w", r.dir, err)
	}
	v = append([]byte{}, v...)
	return v, closer.Close()
}

func (r pebbleReader) Scan(from, to []byte, fn func(key, value []byte) error) (err error) {
	if to != nil && len(to) == 0 {
		return nil // Pebble takes an empty bound for none
	}
	it, err := r.r.NewIter(between(from, to))
	if err != nil {
		return fmt.Errorf("scan database %s: %w", r.dir, err)
	}
	return scan(r.dir, it, fn)
}

func between(from, to []byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: bytes.Clone(from), UpperBound: bytes.Clone(to)}
}

// scan goes over all that it shows, and closes it.
func scan(dir string, it *pebble.Iterator, fn func(key, value []byte) error) (err error) {
	defer func() {
		if cerr := it.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("scan database %s: %w", dir, cerr)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("scan database %s: %w", dir, err)
		}
		if err := fn(it.Key(), v); err != nil {
			return err
		}
	}
	return it.Error()
}

// GetAll implements Store: one iterator goes from key to key, each time by way of the filters of the upper levels. Those of the lowest one are
// as large as its keys are many: keys that are there need none, and one that is not costs a block.
func (p *pebbleStore) GetAll(keys [][]byte, fn func(i int, value []byte) error) (err error) {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("read database %s: %w", p.dir, err)
	}
	defer func() {
		if cerr := it.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("read database %s: %w", p.dir, cerr)
		}
	}()
	for i, key := range keys {
		var value []byte
		if it.SeekPrefixGE(key) {
			if value, err = it.ValueAndErr(); value == nil {
				value = []byte{}
			}
		}
		if err = errors.Join(err, it.Error()); err != nil {
			return fmt.Errorf("read database %s: %w", p.dir, err)
		}
		if err = fn(i, value); err != nil {
			return err
		}
	}
	return nil
}

// A pebbleSnapshot is an iterator that stays where it began, and is cloned by whoever reads: one holds on to the tables that it saw. Pebble's
// own snapshots do not, and would lose what Replace cuts.
type pebbleSnapshot struct {
	dir string
	it  *pebble.Iterator
}

func (s pebbleSnapshot) Get(key []byte) ([]byte, error) {
	var v []byte
	err := s.Scan(key, append(bytes.Clone(key), 0), func(_, value []byte) error {
		v = append([]byte{}, value...)
		return nil
	})
	if err == nil && v == nil {
		err = ErrNotFound
	}
	return v, err
}

func (s pebbleSnapshot) Scan(from, to []byte, fn func(key, value []byte) error) error {
	if to != nil && len(to) == 0 {
		return nil // Pebble takes an empty bound for none
	}
	it, err := s.it.Clone(pebble.CloneOptions{IterOptions: between(from, to)})
	if err != nil {
		return fmt.Errorf("scan database %s: %w", s.dir, err)
	}
	return scan(s.dir, it, fn)
}

func (s pebbleSnapshot) Close() error { return s.it.Close() }

package task

import (
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/internal/operator"
	"github.com/mainstemio/mainstem/record"
)

// An input buffers the chunks of one source partition. The unit reads ahead of what is kept; undoing it goes back.
type input struct {
	tp    record.TopicPartition
	index int32
	// global: all of its topic goes into one table, and its position is not committed.
	global bool

	chunks []client.Chunk       // those with rows that are not kept yet, in order; maybe some without rows
	bytes  []int64              // of each chunk
	times  [][]record.Timestamp // of each chunk's records, where a Timer gives them; nil: not yet, and all behind it neither
	kept   int                  // rows of chunks[0] that are kept
	chunk  int                  // where the unit reads: chunk and row
	row    int
	ahead  int // rows the unit has read

	records  int // buffered rows, including those the unit has read
	started  bool
	position record.Offset // of the next record to read, as far as kept
	end      record.Offset // Next of the last chunk
	logEnd   record.Offset // the end of the committed log, as far as known

	idle     bool             // seen without records by ready, at idleFrom
	idleFrom record.Timestamp // ms, wall clock

	stopAt *record.Offset // reading ends before this record

	timer   operator.Timer   // nil: records have the times they came with
	topic   int32            // index in the source's topics
	highest record.Timestamp // as the timer gave it for the last record that has its time
	timed   bool             // highest is known
}

func (in *input) add(c client.Chunk) error {
	n := len(c.Offsets)
	if len(c.Timestamps) != n || len(c.Keys) != n || len(c.Values) != n || c.Headers != nil && len(c.Headers) != n {
		return fmt.Errorf("add chunk of %s: its columns differ in length", in.tp)
	}
	first, next := c.Next, c.Next
	if n > 0 {
		first, next = c.Offsets[0], max(c.Next, c.Offsets[n-1]+1)
	}
	if in.started && first < in.end {
		return fmt.Errorf("add chunk of %s: it begins at offset %d, but %d is the next one", in.tp, first, in.end)
	}
	c.Next = next
	if !in.started {
		in.started, in.position = true, first
	}
	in.end, in.logEnd = next, max(in.logEnd, c.End)
	in.records += n
	in.chunks, in.bytes, in.times = append(in.chunks, c), append(in.bytes, chunkBytes(&c)), append(in.times, nil)
	if in.ahead == 0 {
		in.keep() // a chunk without rows counts at once where nothing waits before it
	}
	return nil
}

func chunkBytes(c *client.Chunk) int64 {
	var size int64
	for i := range c.Keys {
		size += int64(len(c.Keys[i]) + len(c.Values[i]))
	}
	for _, headers := range c.Headers {
		for _, h := range headers {
			size += int64(len(h.Key) + len(h.Value))
		}
	}
	return size
}

// buffered returns the rows that wait and an estimate of their bytes.
func (in *input) buffered() (records int, bytes int64) {
	for i := range in.chunks {
		size := in.bytes[i]
		if i == 0 && in.kept > 0 {
			n := int64(len(in.chunks[0].Offsets))
			size = size * (n - int64(in.kept)) / n
		}
		bytes += size
	}
	return in.records, bytes
}

// settle moves the reading position over chunks that are read.
func (in *input) settle() {
	for in.chunk < len(in.chunks) && in.row == len(in.chunks[in.chunk].Offsets) {
		in.chunk, in.row = in.chunk+1, 0
	}
}

// waiting returns the timestamps of the next rows, as many as stand together; none when nothing waits or reading must end here.
func (in *input) waiting() []record.Timestamp {
	in.settle()
	if in.chunk == len(in.chunks) {
		return nil
	}
	c := &in.chunks[in.chunk]
	n := len(c.Offsets)
	if in.stopAt != nil {
		n, _ = slices.BinarySearch(c.Offsets, *in.stopAt)
	}
	if n <= in.row {
		return nil
	}
	if in.timer != nil {
		in.extract()
		return in.times[in.chunk][in.row:n]
	}
	return c.Timestamps[in.row:n]
}

// extract has the timer give the times of the records up to the chunk that is read.
func (in *input) extract() {
	if !in.timed {
		in.timed, in.highest = true, in.timer.PartitionTime(in.topic)
	}
	for i := range in.times[:in.chunk+1] {
		if in.times[i] != nil {
			continue
		}
		c := &in.chunks[i]
		times := make([]record.Timestamp, len(c.Offsets))
		for from := 0; from < len(times); from += operator.MaxRows {
			to := min(from+operator.MaxRows, len(times))
			run := in.run(c, from, to)
			in.highest = in.timer.Times(&run, times[from:to], in.highest)
		}
		in.times[i] = times
	}
}

// run shows rows of a chunk.
func (in *input) run(c *client.Chunk, from, to int) operator.Run {
	run := operator.Run{
		Input: in.index, Topic: in.topic,
		Offsets: c.Offsets[from:to], Timestamps: c.Timestamps[from:to], Keys: c.Keys[from:to], Values: c.Values[from:to],
	}
	if c.Headers != nil {
		run.Headers = c.Headers[from:to]
	}
	return run
}

// find shows the record at an offset; empty: it is consumed.
func (in *input) find(offset record.Offset) operator.Run {
	for i := range in.chunks {
		if row, ok := slices.BinarySearch(in.chunks[i].Offsets, offset); ok {
			return in.run(&in.chunks[i], row, row+1)
		}
	}
	return operator.Run{}
}

// take reads the next n rows, which waiting has shown.
func (in *input) take(n int, run *operator.Run) {
	from, to := in.row, in.row+n
	*run = in.run(&in.chunks[in.chunk], from, to)
	if in.timer != nil {
		run.Times = in.times[in.chunk][from:to]
	}
	in.row, in.ahead = to, in.ahead+n
}

// keep makes what the unit has read final.
func (in *input) keep() {
	in.settle()
	in.records -= in.ahead
	in.ahead = 0
	if in.chunk > 0 {
		in.position = in.chunks[in.chunk-1].Next
		rest := copy(in.chunks, in.chunks[in.chunk:])
		copy(in.bytes, in.bytes[in.chunk:])
		copy(in.times, in.times[in.chunk:])
		clear(in.chunks[rest:])
		clear(in.times[rest:])
		in.chunks, in.bytes, in.times, in.chunk = in.chunks[:rest], in.bytes[:rest], in.times[:rest], 0
	}
	in.kept = in.row
	if in.row > 0 {
		in.position = in.chunks[0].Offsets[in.row-1] + 1
	}
}

// undo goes back to what is kept.
func (in *input) undo() { in.chunk, in.row, in.ahead = 0, in.kept, 0 }

// rest gives back what a buffer needs while it is filled.
func (in *input) rest() {
	if len(in.chunks) == 0 {
		in.chunks, in.bytes, in.times = nil, nil, nil
	}
}

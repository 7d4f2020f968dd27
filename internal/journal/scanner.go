package journal

import (
	"bytes"
	"fmt"

	"github.com/mainstemio/mainstem/internal/planted"
	"github.com/mainstemio/mainstem/internal/vfs"
)

// readAhead is how much of a file is read at once in bytes.
const readAhead = 1 << 20

// A scanner reads the blocks of one file through a window.
type scanner struct {
	file   vfs.File
	path   string
	header header
	next   LSN   // expected
	pos    int64 // of the next block; 0 before blocks
	last   int64 // length of the last valid block

	window []byte
	start  int64 // of window in the file
}

// at returns n bytes at off, which lie within the file; they are valid until the next call.
func (s *scanner) at(off int64, n int64) ([]byte, error) {
	if off < s.start || off+n > s.start+int64(len(s.window)) {
		size := min(max(n, readAhead), s.header.size-off)
		if int64(cap(s.window)) < size {
			s.window = make([]byte, size)
		}
		s.window, s.start = s.window[:size], off
		if _, err := s.file.ReadAt(s.window, off); err != nil {
			s.window = s.window[:0]
			return nil, fmt.Errorf("journal file %s: read %d bytes at %d: %w", s.path, size, off, err)
		}
	}
	return s.window[off-s.start:][:n:n], nil
}

// blocks hands out the frames of all blocks up to the first invalid one, where pos stays.
func (s *scanner) blocks(fn func(Frame) error) error {
	s.pos = max(s.pos, fileHeaderSize)
	for {
		h, body, ok, err := s.block(s.pos)
		if err != nil || !ok {
			return err
		}
		if h.first < s.next {
			return nil // a stale block ends the log
		}
		if h.first > s.next {
			return fmt.Errorf("journal file %s at %d: block starts with frame %d, expected %d: %w", s.path, s.pos, h.first, s.next, ErrCorrupt)
		}
		whole, err := h.eachFrame(body, fn)
		if err != nil {
			return err
		}
		if !whole {
			return fmt.Errorf("journal file %s at %d: frames do not fill their block: %w", s.path, s.pos, ErrCorrupt)
		}
		s.next += LSN(h.count)
		s.pos += h.length
		s.last = h.length
	}
}

// block reads the block at off; not ok when there is no valid one.
func (s *scanner) block(off int64) (h blockHeader, body []byte, ok bool, err error) {
	h, ok, err = s.blockHeader(off)
	if err != nil || !ok || h.length > s.header.size-off {
		return h, nil, false, err
	}
	b, err := s.at(off, h.length)
	if err != nil {
		return h, nil, false, err
	}
	body = b[blockHeaderSize:]
	return h, body, checksum(s.header.salt, body) == h.bodyCRC, nil
}

func (s *scanner) blockHeader(off int64) (h blockHeader, ok bool, err error) {
	if s.header.size-off < blockHeaderSize {
		return blockHeader{}, false, nil
	}
	b, err := s.at(off, blockHeaderSize)
	if err != nil {
		return blockHeader{}, false, err
	}
	h, ok = parseBlockHeader(b, s.header.salt)
	return h, ok, nil
}

// tail decides what stands at pos, where no valid block does: the end, a torn block (its size is returned), or damage when
// a valid block with a later frame follows anywhere in the file.
func (s *scanner) tail() (dropped int64, err error) {
	torn, ok, err := s.blockHeader(s.pos)
	if err != nil {
		return 0, err
	}
	if ok && torn.first == s.next {
		dropped = min(torn.length, s.header.size-s.pos)
	}
	end := s.pos // behind the last byte that is not zero
	for off := s.pos; s.header.size-off >= blockHeaderSize; {
		n := min(readAhead, s.header.size-off)
		b, err := s.at(off, n)
		if err != nil {
			return 0, err
		}
		// Most of a new file: comparing is much faster than looking at every place.
		if !bytes.Equal(b, allZero[:n]) {
			end = off + int64(len(bytes.TrimRight(b, "\x00")))
			if err := s.checkNoLaterBlock(off, b); err != nil {
				return 0, err
			}
		}
		// A header may stand across the border.
		off += (n - blockHeaderSize + blockAlign) / blockAlign * blockAlign
	}
	if !s.header.recycled {
		dropped = max(dropped, end-s.pos)
	}
	return dropped, nil
}

// allZero is what a window of bytes never written looks like.
var allZero [readAhead]byte

// checkNoLaterBlock looks for a valid block with a later frame at every place in b, which starts at off, a multiple of the
// alignment.
func (s *scanner) checkNoLaterBlock(off int64, b []byte) error {
	for i := 0; ; i += blockAlign {
		found := bytes.Index(b[i:], blockMagicBytes)
		if found < 0 || i+found+blockHeaderSize > len(b) {
			return nil
		}
		i = (i + found) / blockAlign * blockAlign
		if found%blockAlign != 0 {
			continue
		}
		if h, ok := parseBlockHeader(b[i:], s.header.salt); !ok || h.first <= s.next {
			continue
		}
		h, _, ok, err := s.block(off + int64(i))
		if err != nil {
			return err
		}
		if ok && !planted.Is(planted.TornTailKept) {
			return fmt.Errorf("journal file %s at %d: no valid block with frame %d, but a valid one with frame %d follows at %d: %w",
				s.path, s.pos, s.next, h.first, off+int64(i), ErrCorrupt)
		}
		// Reading the block moved the window.
		if b, err = s.at(off, int64(len(b))); err != nil {
			return err
		}
	}
}

// lastBlock returns a copy of the block before pos, nil when there is none.
func (s *scanner) lastBlock() ([]byte, error) {
	if s.last == 0 {
		return nil, nil
	}
	b, err := s.at(s.pos-s.last, s.last)
	return bytes.Clone(b), err
}

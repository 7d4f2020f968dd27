package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/mainstemio/mainstem/internal/vfs"
)

// files reads all files of the journal directory.
func files(t testing.TB, fs vfs.FS) map[string][]byte {
	t.Helper()
	names, err := fs.List(testDir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, name := range names {
		f, err := fs.Open(testDir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		out[name] = b
	}
	return out
}

// with makes a file system of the given files.
func with(t testing.TB, files map[string][]byte) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashable()
	if err := fs.MkdirAll(testDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		f, err := fs.Create(testDir+"/"+name, vfs.Category)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(bytes.Clone(b)); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return fs
}

// recoverFrames replays fs and checks that frames are whole and in order; it returns how many came before the error.
func recoverFrames(t testing.TB, fs vfs.FS) (Recovery, LSN, error) {
	t.Helper()
	j, err := tryOpen(fs)
	if err != nil {
		return Recovery{}, 0, err
	}
	defer j.Close()
	last := LSN(0)
	r, err := j.Replay(0, func(f Frame) error {
		if f.LSN != last+1 || f.Kind != Kind(f.LSN%200+1) || !bytes.Equal(f.Body, body(f.LSN)) {
			t.Fatalf("frame %d came back damaged or out of order", f.LSN)
		}
		last = f.LSN
		return nil
	})
	return r, last, err
}

func TestEveryFlippedByteIsFoundOrCutAtTheEnd(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 90, 3)
	appendFrames(t, j, 91, 92, 2) // the last block
	good := files(t, fs)
	lastFile, lastStart := j.flush.active.header.name(), int64(0)
	end := j.flush.active.pos
	if len(j.mu.files) < 2 {
		t.Fatal("the test wants two files")
	}
	// The last block is frames 91 and 92.
	lastStart = end - align(int64(blockHeaderSize+2*frameHeaderSize+len(body(91))+len(body(92))))

	for name, data := range good {
		limit := int64(len(data))
		if name == lastFile {
			limit = end
		}
		for pos := range limit {
			// Zeros behind the last block of a full file are nobody's.
			if pos >= fileHeaderSize && name != lastFile && len(bytes.TrimLeft(data[pos:], "\x00")) == 0 {
				break
			}
			// The zeros of a header page are all alike to its CRC.
			if pos >= 64 && pos < fileCRCPos && pos%61 != 0 {
				continue
			}
			damaged := bytes.Clone(data)
			damaged[pos] ^= 1 << (pos % 8)
			good[name] = damaged
			bad := with(t, good)
			r, last, err := recoverFrames(t, bad)
			inLast := name == lastFile && pos >= lastStart
			switch {
			case inLast && err == nil && r.Last == 90 && r.DroppedBytes > 0 && r.Offset == lastStart:
			case errors.Is(err, ErrCorrupt) && last <= 92:
				if after := files(t, bad); !bytes.Equal(after[name], damaged) {
					t.Fatalf("%s byte %d: ErrCorrupt, but the file was touched", name, pos)
				}
			default:
				t.Fatalf("%s byte %d: last %d, %+v, %v", name, pos, last, r, err)
			}
			if inLast && err != nil {
				t.Fatalf("%s byte %d: a damaged last block should be cut: %v", name, pos, err)
			}
		}
		good[name] = data
	}
}

func TestAWriteTornAtAnyByteIsCut(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 5, 1)
	start := j.flush.active.pos
	appendFrames(t, j, 6, 20, 15)
	end := j.flush.active.pos
	good := files(t, fs)
	name := j.flush.active.header.name()
	for pos := start; pos < end; pos++ {
		torn := bytes.Clone(good[name])
		if bytes.Count(torn[pos:end], []byte{0}) == int(end-pos) {
			continue // nothing is missing
		}
		clear(torn[pos:end])
		fs := with(t, map[string][]byte{name: torn})
		r, last, err := recoverFrames(t, fs)
		if err != nil || last != 5 {
			t.Fatalf("torn at %d: last %d, %v", pos, last, err)
		}
		if visible := len(bytes.TrimRight(torn[start:end], "\x00")); visible > 0 && (r.DroppedBytes < int64(visible) || r.Offset != start || r.File == "") {
			t.Fatalf("torn at %d: %+v, %d bytes were there", pos, r, visible)
		}
		// The journal goes on over the torn bytes.
		j := open(t, fs)
		replayAll(t, j, 0)
		appendFrames(t, j, 6, 8, 1)
		if r := replayAll(t, open(t, fs), 0); r.Last != 8 {
			t.Fatalf("torn at %d: last %d after going on", pos, r.Last)
		}
	}
}

func TestABlockInsideRecordBytesIsNeverTakenForOne(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 4, 1)

	// Somebody writes record bytes that are a block of a later LSN, without knowing the salt.
	var fake formingBlocks
	fake.add(frameToAdd{lsn: 99, kind: 1, parts: Copied([]byte("evil")), size: 4, maxBlock: 1000})
	evil := bytes.Join(fake.seal(0, 0), nil)
	start := j.flush.active.pos
	if _, err := j.Append(1, Copied(make([]byte, 3), evil, make([]byte, 64))...); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	name := j.flush.active.header.name()
	all := files(t, fs)
	if i := bytes.Index(all[name], evil); i%blockAlign != 0 {
		t.Fatalf("the fake block stands at %d: not where it could be found", i)
	}
	clear(all[name][start : start+blockHeaderSize]) // torn: the header's page never arrived
	if r, last, err := recoverFrames(t, with(t, all)); err != nil || last != 4 || r.DroppedBytes == 0 {
		t.Fatalf("last %d: %v", last, err)
	}
}

func TestStaleBlocksOfARecycledFileEndTheLog(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	lsn := LSN(1)
	for !j.flush.active.header.recycled {
		appendFrames(t, j, lsn, lsn, 1)
		if err := j.Release(lsn - 1); err != nil {
			t.Fatal(err)
		}
		lsn++
	}
	first := j.flush.active.header.first
	if rest := files(t, fs)[j.flush.active.header.name()][j.flush.active.pos:]; len(bytes.Trim(rest, "\x00")) == 0 {
		t.Fatal("nothing stale to be misled by")
	}
	for range 5 {
		j = open(t, fs)
		if r := replayAll(t, j, first-1); r.Last != lsn-1 || r.DroppedBytes != 0 {
			t.Fatalf("%+v, expected last %d", r, lsn-1)
		}
		appendFrames(t, j, lsn, lsn, 1)
		lsn++
	}
}

func TestFilesThatCannotBeReadAreRefused(t *testing.T) {
	fs := vfs.NewCrashable()
	j := open(t, fs)
	replayAll(t, j, 0)
	appendFrames(t, j, 1, 400, 1)
	all := files(t, fs)
	if len(all) < 4 {
		t.Fatal("the test wants four files")
	}
	first, second := fileName(1), fileName(2)
	newer := bytes.Clone(all[first])
	newer[11] = fileVersion + 1
	binary.BigEndian.PutUint32(newer[fileCRCPos:], checksum(0, newer[:fileCRCPos]))

	for name, tc := range map[string]struct {
		change func(map[string][]byte)
		want   error
	}{
		"a newer format":         {func(m map[string][]byte) { m[first] = newer }, ErrNewerFormat},
		"a file missing":         {func(m map[string][]byte) { delete(m, second) }, ErrCorrupt},
		"the first file missing": {func(m map[string][]byte) { delete(m, first) }, ErrCorrupt},
		"a header of zeros":      {func(m map[string][]byte) { clear(m[second][:fileHeaderSize]) }, ErrCorrupt},
		"a file cut":             {func(m map[string][]byte) { m[second] = m[second][:minFileSize-1] }, ErrCorrupt},
		"an empty file":          {func(m map[string][]byte) { m[second] = nil }, ErrCorrupt},
		"a file under a wrong name": {func(m map[string][]byte) {
			m[fileName(77)] = m[second]
			delete(m, second)
		}, ErrCorrupt},
		"a name without sequence": {func(m map[string][]byte) { m["journal-x"] = nil }, ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			changed := map[string][]byte{}
			for n, b := range all {
				changed[n] = bytes.Clone(b)
			}
			tc.change(changed)
			fs := with(t, changed)
			if _, _, err := recoverFrames(t, fs); !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if after := files(t, fs); fmt.Sprint(after) != fmt.Sprint(changed) {
				t.Fatal("files were touched")
			}
		})
	}
}

func FuzzReplay(f *testing.F) {
	fs := vfs.NewCrashable()
	j := open(f, fs)
	replayAll(f, j, 0)
	appendFrames(f, j, 1, 12, 3)
	data := files(f, fs)[fileName(1)][fileHeaderSize:j.flush.active.pos]
	f.Add(data)
	f.Add(data[:len(data)-20])
	f.Add(append(bytes.Clone(data[:200]), make([]byte, 100)...))
	h := header{sequence: 1, first: 1, size: minFileSize, salt: 1}
	f.Fuzz(func(t *testing.T, blocks []byte) {
		file := make([]byte, minFileSize)
		copy(file, h.encode())
		copy(file[fileHeaderSize:], blocks)
		fs := with(t, map[string][]byte{fileName(1): file})
		j, err := tryOpen(fs)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		var got []string
		keep := func(f Frame) error { got = append(got, fmt.Sprint(f)); return nil }
		r, err := j.Replay(0, keep)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if lsn, err := j.Append(9, Copied([]byte("next"))...); err != nil || lsn != r.Last+1 {
			t.Fatalf("append gave %d after %d: %v", lsn, r.Last, err)
		}
		if _, err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		before := append(got, fmt.Sprint(Frame{LSN: r.Last + 1, Kind: 9, Body: []byte("next")}))
		got = nil
		again, err := tryOpen(fs)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if _, err := again.Replay(0, keep); err != nil || fmt.Sprint(got) != fmt.Sprint(before) {
			t.Fatalf("the second replay differs: %v", err)
		}
	})
}

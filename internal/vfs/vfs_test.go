package vfs

import (
	"bytes"
	"testing"
)

func TestGraduallyWrittenFilesGoToTheDiskMeanwhile(t *testing.T) {
	sent, written := 0, 0
	fs := OnOp(NewCrashable(), func(op, _ string) {
		switch op {
		case "sync-to", "sync-data": // the latter of a file that no disk is behind
			sent = written
		case "sync":
			t.Error("the file is synced as a whole")
		}
	})
	f, err := fs.Create("/file", Category)
	if err != nil {
		t.Fatal(err)
	}
	f = Gradually(f)
	const kept = 1 << 20 // the last bytes, which Pebble leaves: they may be written again
	piece := bytes.Repeat([]byte("x"), gradualBytes/2)
	for range 20 {
		written += len(piece)
		if _, err := f.Write(piece); err != nil {
			t.Fatal(err)
		}
		if rest := written - sent; rest > kept+gradualBytes {
			t.Errorf("%d of %d bytes are still to be sent to the disk", rest, written)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

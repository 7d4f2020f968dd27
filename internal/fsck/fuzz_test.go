package fsck

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mainstemio/mainstem/internal/broker"
)

// FuzzAChangedFileIsJudgedAsTheNodeJudgesIt puts bytes anywhere into any file.
func FuzzAChangedFileIsJudgedAsTheNodeJudgesIt(f *testing.F) {
	killed, ended := fill(f)
	var files []string
	for _, file := range slices.Sorted(maps.Keys(killed)) {
		if !strings.HasSuffix(file, "/") && ended[file] != nil {
			files = append(files, file)
		}
	}
	f.Add(uint8(0), uint16(20), []byte{0xff}, true, false)
	f.Add(uint8(1), uint16(4096), []byte("MSBK"), false, true)
	f.Add(uint8(3), uint16(8), []byte{0, 0, 0, 1, 2}, true, true)
	f.Fuzz(func(t *testing.T, which uint8, at uint16, put []byte, isEnded, cut bool) {
		w := killed
		if isEnded {
			w = ended
		}
		file := files[int(which)%len(files)]
		change := bytes.Clone(w[file])
		if n := len(change); n > 0 {
			n = copy(change[int(at)%n:], put) + int(at)%n
			if cut {
				change = change[:n]
			}
		}
		r := checked(t, w.fs(t, file, change))
		b, err := broker.Open(brokerOptions(w.fs(t, file, change)))
		if err == nil {
			err = b.Close()
		}
		if r.Starts != (err == nil) || err != nil && r.Worst() != Damage {
			t.Errorf("%s: starts %v (%v), the node: %v", file, r.Starts, r.Findings, err)
		}
	})
}

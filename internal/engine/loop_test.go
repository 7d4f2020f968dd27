package engine

import (
	"context"
	"errors"
	"testing"
)

func TestAnEndCutsShortWhatWouldHaveGoneOn(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	reader := errors.New("open reader: context canceled")
	for _, c := range []struct {
		name  string
		ctx   context.Context
		err   error
		ended bool
		fails bool
	}{
		{"all is well", ended, nil, false, false},
		{"a reader that is not needed any more", ended, reader, true, false},
		{"a broken epoch stays broken", ended, &epochError{reader}, false, true},
		{"an error while it works", context.Background(), reader, false, true},
	} {
		if end, err := cutShort(c.ctx, c.err); end != c.ended || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v", c.name, end, err)
		}
	}
}

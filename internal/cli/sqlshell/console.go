package sqlshell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/term"
)

// Keys.
const (
	keyInterrupt = 3  // Ctrl-C
	keyEnd       = 5  // Ctrl-E, moves to the end of the line
	keyErase     = 21 // Ctrl-U, erases the line
	keyEnter     = 13
)

// A console reads lines at a terminal, with history and completion. The terminal gives bytes, not signals: a goroutine takes them, so that
// Ctrl-C is seen while a query runs.
type console struct {
	term        *term.Terminal
	interrupted atomic.Bool // what was typed is given up
	mu          struct {
		sync.Mutex
		cancel context.CancelFunc // ends what runs; nil: nothing does
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// openConsole takes over the terminal until the returned function gives it back.
func (s *shell) openConsole(file *os.File) (lineReader, func(), error) {
	fd := int(file.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, nil, err
	}
	c := newConsole(file, s.io.Err)
	c.term.History = openHistory(historyFile())
	c.term.AutoCompleteCallback = newCompleter(s, c.term).key
	streams := s.io
	s.io.Out, s.io.Err, s.out = c.term, c.term, c.term // it ends lines as a terminal in this mode wants them
	s.width = func() int {
		width, height, err := term.GetSize(fd)
		if err != nil {
			return 0
		}
		_ = c.term.SetSize(width, height) // a failure is one of writing, seen soon
		return width
	}
	s.width()
	return c, func() {
		s.io, s.out = streams, streams.Out
		_ = term.Restore(fd, before) // there is nobody to tell
		fmt.Fprintln(streams.Err)
	}, nil
}

// newConsole reads keys from in and draws on out.
func newConsole(in io.Reader, out io.Writer) *console {
	c := &console{}
	keys := &keyBuffer{}
	keys.cond.L = &keys.mu
	c.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys, out}, firstPrompt)
	go c.pump(in, keys)
	return c
}

// pump moves keys from the terminal to the line editor.
func (c *console) pump(in io.Reader, keys *keyBuffer) {
	buf := make([]byte, 1024)
	for {
		n, err := in.Read(buf)
		for _, b := range buf[:n] {
			if b != keyInterrupt {
				keys.add(b)
			} else if !c.interrupt() {
				c.interrupted.Store(true)
				keys.add(keyEnd, keyErase, keyEnter)
			}
		}
		if err != nil {
			keys.end(err)
			return
		}
	}
}

// interrupt ends what runs, if anything does.
func (c *console) interrupt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.cancel == nil {
		return false
	}
	c.mu.cancel()
	return true
}

func (c *console) line(prompt string) (string, bool, error) {
	c.term.SetPrompt(prompt)
	text, err := c.term.ReadLine()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	return text, c.interrupted.Swap(false), err
}

func (c *console) run(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.running(cancel)
	defer c.running(nil)
	return f(ctx)
}

func (c *console) running(cancel context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.cancel = cancel
}

func (c *console) interactive() bool { return true }

// maxKeys bounds what is typed ahead, in bytes.
const maxKeys = 1 << 20

// A keyBuffer holds keys that were not read yet.
type keyBuffer struct {
	mu   sync.Mutex
	cond sync.Cond
	keys []byte
	err  error
}

func (k *keyBuffer) add(keys ...byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) < maxKeys {
		k.keys = append(k.keys, keys...)
	}
	k.cond.Signal()
}

func (k *keyBuffer) end(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
	k.cond.Signal()
}

// Read implements io.Reader.
func (k *keyBuffer) Read(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.keys) == 0 && k.err == nil {
		k.cond.Wait()
	}
	if len(k.keys) == 0 {
		return 0, k.err
	}
	n := copy(p, k.keys)
	k.keys = k.keys[n:]
	return n, nil
}

// maxHistory bounds the lines that are remembered.
const maxHistory = 1000

// A history is the lines of this session and the last ones of those before, which a file keeps.
type history struct {
	file  string // empty: none
	lines []string
}

// historyFile is where lines are kept: .mainstem_sql_history in the user's home.
func historyFile() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".mainstem_sql_history")
}

// openHistory reads the file; what cannot be read is forgotten.
func openHistory(file string) *history {
	h := &history{file: file}
	f, err := os.Open(file)
	if err != nil {
		return h
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		h.lines = append(h.lines, lines.Text())
	}
	h.lines = h.lines[max(0, len(h.lines)-maxHistory):]
	return h
}

// Add implements term.History.
func (h *history) Add(line string) {
	if line == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	h.lines = h.lines[max(0, len(h.lines)-maxHistory):]
	if h.file == "" {
		return
	}
	f, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return // the line is remembered for this session
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}

// Len implements term.History.
func (h *history) Len() int { return len(h.lines) }

// At implements term.History: 0 is the newest.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

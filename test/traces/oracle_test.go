//go:build suites

package traces

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// An oracle is Apache Kafka Streams under its test driver, in one process that answers case after case. See oracle/oracle.sh.
type oracle struct {
	mu  sync.Mutex // one question at a time
	in  io.WriteCloser
	out *bufio.Reader
}

func startOracle(t *testing.T) *oracle {
	t.Helper()
	fetch := exec.Command("oracle/oracle.sh", "fetch")
	if out, err := fetch.CombinedOutput(); err != nil {
		t.Fatalf("oracle.sh fetch: %v\n%s", err, out)
	}
	cmd := exec.Command("oracle/oracle.sh")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("ORACLE_LOG") != "" {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &oracle{in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

// ask returns the case with its expectations, and why they cannot be compared if so.
func (o *oracle) ask(c map[string]any) (answered *traceCase, line []byte, skip string, err error) {
	question, err := json.Marshal(c)
	if err != nil {
		return nil, nil, "", err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.in.Write(append(question, '\n')); err != nil {
		return nil, nil, "", fmt.Errorf("oracle: %w", err)
	}
	if line, err = o.out.ReadBytes('\n'); err != nil {
		return nil, nil, "", fmt.Errorf("oracle: %w", err)
	}
	answer := &struct {
		traceCase
		Skip string `json:"skip"`
	}{}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(answer); err != nil {
		return nil, nil, "", fmt.Errorf("oracle: %w", err)
	}
	answer.generated = true
	return &answer.traceCase, line, answer.Skip, nil
}

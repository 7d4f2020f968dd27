package anz

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/mainstemio/mainstem/examples/payments"
)

// The files that Convert writes, by topic.
var fileOf = map[string]string{
	payments.CardTopic:     "cc-payment.jsonl",
	payments.TransferTopic: "bank-transfer-payment.jsonl",
}

// A Conversion says what to convert.
type Conversion struct {
	Input  string // path of anz.csv.gz
	Output string // directory, created when missing; the two files in it are replaced
	// Shuffle, if not 0, puts each channel's records into an order drawn from this seed. Otherwise they stand as in the input.
	Shuffle uint64
}

// Run converts and returns how many records each topic has.
func (c Conversion) Run() (map[string]int, error) {
	f, err := os.Open(c.Input)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Input, err)
	}
	records := map[string][]Record{}
	seen := map[int64]bool{}
	for _, r := range rows {
		rec, err := r.Payment()
		if err != nil {
			return nil, fmt.Errorf("%s: transaction %s: %w", c.Input, r.TransactionID, err)
		}
		if seen[rec.TrxID] {
			return nil, fmt.Errorf("%s: transaction %s: another one has the same first 63 bits", c.Input, r.TransactionID)
		}
		seen[rec.TrxID] = true
		records[rec.Topic] = append(records[rec.Topic], rec)
	}
	if err := os.MkdirAll(c.Output, 0o755); err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for topic, name := range fileOf {
		if c.Shuffle != 0 {
			rnd := rand.New(rand.NewPCG(c.Shuffle, uint64(len(name))))
			rnd.Shuffle(len(records[topic]), func(i, j int) {
				records[topic][i], records[topic][j] = records[topic][j], records[topic][i]
			})
		}
		if err := writeFile(filepath.Join(c.Output, name), records[topic]); err != nil {
			return nil, err
		}
		counts[topic] = len(records[topic])
	}
	return counts, nil
}

func writeFile(path string, records []Record) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f, records); err != nil {
		_ = f.Close() // the first error tells more
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}

func write(w io.Writer, records []Record) error {
	buf := bufio.NewWriter(w)
	var line []byte
	for _, r := range records {
		key, err := json.Marshal(r.Key)
		if err != nil {
			return err
		}
		line = append(append(line[:0], `{"key":`...), key...)
		line = append(append(line, `,"value":`...), r.Value...)
		line = strconv.AppendInt(append(line, `,"timestamp":`...), r.Timestamp, 10)
		if _, err := buf.Write(append(line, "}\n"...)); err != nil {
			return err
		}
	}
	return buf.Flush()
}

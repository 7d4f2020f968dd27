package anz

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/mainstemio/mainstem/row"
)

// maxDifferences bounds how many differences Check describes.
const maxDifferences = 10

// A want is a line of expected-last5.jsonl.
type want struct {
	Customer string `json:"customer_id"`
	Payments []struct {
		Transaction string `json:"transaction_id"`
		Date        string `json:"trx_date"`
		Amount      string `json:"amount"`
		Type        string `json:"payment_type"`
	} `json:"payments"`
}

// A Count is what a database that equals the known answer holds.
type Count struct{ Customers, Rows int }

// Check compares the database of the Customer Service with the known last five payments: every customer, every row, in order,
// and nothing else. The error describes the first differences.
func Check(ctx context.Context, database, expected string) (Count, error) {
	wanted, err := readExpected(expected)
	if err != nil {
		return Count{}, err
	}
	held, err := readDatabase(ctx, database)
	if err != nil {
		return Count{}, fmt.Errorf("read %s: %w", database, err)
	}
	var differences []error
	count := Count{Customers: len(held)}
	for customer, lines := range held {
		count.Rows += len(lines)
		if _, ok := wanted[customer]; !ok {
			differences = append(differences, fmt.Errorf("customer %d is not in the answer", customer))
		}
	}
	for customer, lines := range wanted {
		if !slices.Equal(lines, held[customer]) {
			differences = append(differences, fmt.Errorf("customer %d:\n  has  %s\n  want %s", customer,
				strings.Join(held[customer], "\n       "), strings.Join(lines, "\n       ")))
		}
	}
	if n := len(differences); n > maxDifferences {
		differences = append(differences[:maxDifferences], fmt.Errorf("and %d more", n-maxDifferences))
	}
	return count, errors.Join(differences...)
}

// readExpected returns the answer as lines to compare, by customer number.
func readExpected(path string) (map[int64][]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	wanted := map[int64][]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		var w want
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			return nil, fmt.Errorf("%s line %d: %w", path, n, err)
		}
		customer, err := number(w.Customer, "CUS-")
		if err != nil {
			return nil, fmt.Errorf("%s line %d: %w", path, n, err)
		}
		for i, p := range w.Payments {
			id, err1 := TrxID(p.Transaction)
			date, err2 := Date(p.Date)
			line, err3 := comparable(i+1, id, date.String(), p.Amount, p.Type)
			if err := errors.Join(err1, err2, err3); err != nil {
				return nil, fmt.Errorf("%s line %d: %w", path, n, err)
			}
			wanted[customer] = append(wanted[customer], line)
		}
	}
	return wanted, lines.Err()
}

func readDatabase(ctx context.Context, path string) (map[int64][]string, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	db, err := sql.Open("sqlite", "file:"+escaped+"?"+url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(2000)"}}.Encode())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT customer_id, position, trx_id, trx_date, trx_amount, payment_type FROM last_payments ORDER BY customer_id, position`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	held := map[int64][]string{}
	for rows.Next() {
		var customer, id int64
		var position int
		var date, amount, kind string
		if err := rows.Scan(&customer, &position, &id, &date, &amount, &kind); err != nil {
			return nil, err
		}
		line, err := comparable(position, id, date, amount, kind)
		if err != nil {
			return nil, fmt.Errorf("customer %d: %w", customer, err)
		}
		held[customer] = append(held[customer], line)
	}
	return held, rows.Err()
}

// comparable renders a payment so that equal lines mean equal payments: the amount is brought to two places.
func comparable(position int, id int64, date, amount, kind string) (string, error) {
	d, err := row.ParseDecimal(amount)
	if err != nil {
		return "", fmt.Errorf("amount %q: %w", amount, err)
	}
	text := d.String()
	whole, cents, _ := strings.Cut(text, ".")
	return fmt.Sprintf("%d. %d %s %s.%s %s", position, id, date, whole, (strings.TrimRight(cents, "0") + "00")[:max(2, len(strings.TrimRight(cents, "0")))], kind), nil
}

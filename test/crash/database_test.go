package crash

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/mainstemio/mainstem/examples/payments"
)

// readDatabase returns the lists of customer.db.
func readDatabase(ctx context.Context, path string) (map[int64][]payment, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return map[int64][]payment{}, nil
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT customer_id, position, trx_id, trx_amount, trx_date, payment_type, coalesce(account_no, ''),
  coalesce(account_name, ''), coalesce(bank_name, ''), coalesce(reference_no, ''), coalesce(currency, '') FROM last_payments ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int64][]payment{}
	for rows.Next() {
		var p payment
		var position int
		var text string
		if err := rows.Scan(&p.customer, &position, &p.id, &text, &p.date, &p.kind, &p.account, &p.accountName, &p.bank, &p.reference, &p.currency); err != nil {
			return nil, err
		}
		if p.amount, err = amount(json.Number(text)); err != nil {
			return nil, err
		}
		list := append(out[p.customer], p)
		if position != len(list) {
			return nil, fmt.Errorf("customer %d has no payment at position %d, but one at %d", p.customer, len(list), position)
		}
		out[p.customer] = list
	}
	return out, rows.Err()
}

// current waits until customer.db holds the lists.
func (t *trial) current(path string, want map[int64][]payment, limit time.Duration) {
	t.Helper()
	t.await("customer.db is current", limit, func() error {
		got, err := readDatabase(t.ctx, path)
		if err != nil {
			return err
		}
		return sameLists(got, want)
	})
}

// derived waits until all inputs are read and what follows from them is committed. That customer.db is current does not say so: many payments
// change no list.
func (t *trial) derived(s system) {
	t.Helper()
	for topic := range s.channels() {
		app := payments.PipelineName
		if topic == walletTopic {
			app = "ewallet"
		}
		t.await("all of "+topic+" to be read", 2*time.Minute, func() error {
			end, err := ended(t.ctx, s.bootstrap, topic)
			if err != nil {
				return err
			}
			at, err := committed(t.ctx, s.bootstrap, app, topic)
			for _, offset := range at {
				end -= offset
			}
			if err == nil && end > 0 {
				err = fmt.Errorf("%d records are left", end)
			}
			return err
		})
	}
}

// check judges a run whose services have been stopped and whose programs all run: it waits until customer.db is what the inputs
// make, and then checks every topic.
func (t *trial) check(s system) verdict {
	t.Helper()
	inputs, v := t.inputs(s)
	want := recompute(inputs)
	t.derived(s)
	t.current(s.database, want, 2*time.Minute)
	if err := sameLists(t.outputs(s, inputs, &v), want); err != nil {
		t.Errorf("the last lists of PAYMENT-TRX-AGGR: %v", err)
	}
	// What the system did during the check must not have changed the result.
	t.current(s.database, want, time.Second)
	if v.payments == 0 || v.lists == 0 {
		t.Errorf("nothing was checked: %s", v)
	}
	return v
}

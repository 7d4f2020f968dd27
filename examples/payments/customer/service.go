package customer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/row"
)

// pageCustomers is how many customers the page shows at once.
const pageCustomers = 50

// A Service answers HTTP requests from customer.db. It is an http.Handler.
type Service struct {
	path string
	db   *sql.DB
	mux  *http.ServeMux
	fail func(error)
}

// NewService returns the service for the database at path, which need not exist yet: until it does there are no customers. fail
// is told about errors that a client only sees as status 500; nil means nobody is.
func NewService(path string, fail func(error)) (*Service, error) {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(2000)", "query_only(1)"}}
	db, err := sql.Open("sqlite", "file:"+escaped+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(4)
	db.SetConnMaxLifetime(2 * time.Second) // a database built anew under the same name is found
	if fail == nil {
		fail = func(error) {}
	}
	s := &Service{path: path, db: db, mux: http.NewServeMux(), fail: fail}
	s.mux.HandleFunc("GET /customers/{id}/payments", s.customer)
	s.mux.HandleFunc("GET /{$}", s.page)
	return s, nil
}

// Close releases the database.
func (s *Service) Close() error { return s.db.Close() }

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	s.mux.ServeHTTP(w, r)
}

// customer answers GET /customers/{id}/payments.
func (s *Service) customer(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		problem(w, http.StatusBadRequest, "a customer id is a 64-bit integer")
		return
	}
	lists, err := s.lists(r.Context(), `customer_id = ?`, id, payments.Keep)
	switch {
	case err != nil:
		s.fail(fmt.Errorf("read payments of customer %d: %w", id, err))
		problem(w, http.StatusInternalServerError, "the database cannot be read")
	case len(lists) == 0:
		problem(w, http.StatusNotFound, fmt.Sprintf("there are no payments of customer %d", id))
	default:
		body, err := payments.LastFiveJSON.Append(nil, lists[0])
		if err != nil {
			s.fail(fmt.Errorf("write payments of customer %d: %w", id, err))
			problem(w, http.StatusInternalServerError, "the payments cannot be written")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n')) // an error is the client's
	}
}

func problem(w http.ResponseWriter, status int, what string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": what}) // an error is the client's
}

// page answers GET /?from=customer.
func (s *Service) page(w http.ResponseWriter, r *http.Request) {
	from, err := int64(-1<<63), error(nil)
	if text := r.URL.Query().Get("from"); text != "" {
		if from, err = strconv.ParseInt(text, 10, 64); err != nil {
			http.Error(w, "from must be a customer id", http.StatusBadRequest)
			return
		}
	}
	data := pageData{First: from == -1<<63}
	data.Lists, err = s.lists(r.Context(), `customer_id >= ?`, from, (pageCustomers+1)*payments.Keep)
	if err != nil {
		s.fail(fmt.Errorf("read customers: %w", err))
		http.Error(w, "the database cannot be read", http.StatusInternalServerError)
		return
	}
	if len(data.Lists) > pageCustomers {
		data.More, data.Next = true, data.Lists[pageCustomers].CustomerID
		data.Lists = data.Lists[:pageCustomers]
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(data.html()) // an error is the client's
}

// read runs a query. A database that does not exist yet is an empty one.
func (s *Service) read(query func() error) error {
	if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := query()
	if err != nil && strings.Contains(err.Error(), "no such table") {
		return nil // the sink is just making it
	}
	return err
}

// lists reads the rows where a condition on customer_id holds, at most limit of them, from one snapshot.
func (s *Service) lists(ctx context.Context, where string, id int64, limit int) (lists []payments.LastFive, err error) {
	err = s.read(func() error {
		lists, err = s.query(ctx, where, id, limit)
		return err
	})
	return lists, err
}

func (s *Service) query(ctx context.Context, where string, id int64, limit int) ([]payments.LastFive, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT customer_id, trx_id, trx_amount, trx_date, payment_type,
  coalesce(account_no, ''), coalesce(account_name, ''), coalesce(bank_name, ''), coalesce(reference_no, ''), coalesce(currency, '')
FROM last_payments WHERE `+where+` ORDER BY customer_id, position LIMIT ?`, id, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lists []payments.LastFive
	for rows.Next() {
		p, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if n := len(lists); n == 0 || lists[n-1].CustomerID != p.CustomerID {
			lists = append(lists, payments.LastFive{CustomerID: p.CustomerID})
		}
		last := &lists[len(lists)-1]
		last.Payments = append(last.Payments, p)
	}
	return lists, rows.Err()
}

func scan(rows *sql.Rows) (payments.Payment, error) {
	var p payments.Payment
	var amount, date string
	err := rows.Scan(&p.CustomerID, &p.TrxID, &amount, &date, &p.PaymentType, &p.AccountNo, &p.AccountName, &p.BankName, &p.ReferenceNo, &p.Currency)
	if err != nil {
		return p, err
	}
	if p.TrxAmount, err = row.ParseDecimal(amount); err != nil {
		return p, fmt.Errorf("trx_amount of payment %d: %w", p.TrxID, err)
	}
	if p.TrxDate, err = payments.ParseDate(date); err != nil {
		return p, fmt.Errorf("trx_date of payment %d: %w", p.TrxID, err)
	}
	return p, nil
}

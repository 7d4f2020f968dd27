package customer

import "context"

// Count returns how many customers and rows the database holds; none while it does not exist.
func (s *Service) Count(ctx context.Context) (customers, rows int, err error) {
	err = s.read(func() error {
		return s.db.QueryRowContext(ctx, `SELECT count(DISTINCT customer_id), count(*) FROM last_payments`).Scan(&customers, &rows)
	})
	return customers, rows, err
}

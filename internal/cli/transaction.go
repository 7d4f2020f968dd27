package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func newTransaction(env Env) *cobra.Command {
	c := &cluster{env: env}
	cmd := &cobra.Command{Use: "transaction", Short: "List and abort transactions on any Kafka cluster"}
	c.register(cmd)
	cmd.AddCommand(newTransactionList(c), newTransactionAbort(c))
	return cmd
}

// A transactionRow is a line of transaction list; times are milliseconds, -1 without an open transaction.
type transactionRow struct {
	ID         string `json:"id"`
	State      string `json:"state"`
	Producer   int64  `json:"producer"`
	Epoch      int16  `json:"epoch"`
	TimeoutMs  int64  `json:"timeoutMs"`
	AgeMs      int64  `json:"ageMs"`
	Partitions int    `json:"partitions"`
}

func newTransactionList(c *cluster) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "List open transactions", Args: exact(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				rows, err := listTransactions(ctx, adm, all)
				if err != nil {
					return failed("failed", fmt.Errorf("list transactions: %w", err), "")
				}
				if c.json {
					return c.print(rows)
				}
				return c.table("ID\tSTATE\tPRODUCER\tAGE\tTIMEOUT\tPARTITIONS", func(row func(...any)) {
					for _, r := range rows {
						row(r.ID, r.State, fmt.Sprintf("%d/%d", r.Producer, r.Epoch), spanText(r.AgeMs), spanText(r.TimeoutMs), r.Partitions)
					}
				})
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show transactional ids without an open transaction too")
	return cmd
}

func listTransactions(ctx context.Context, adm *kadm.Client, all bool) ([]transactionRow, error) {
	listed, err := adm.ListTransactions(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	rows := []transactionRow{}
	if len(listed) == 0 {
		return rows, nil
	}
	described, err := adm.DescribeTransactions(ctx, listed.TransactionalIDs()...)
	if err != nil {
		return nil, err
	}
	for _, d := range described.Sorted() {
		open := d.StartTimestamp > 0 && !strings.HasPrefix(d.State, "Complete") && d.State != "Empty"
		if d.Err != nil || !open && !all {
			continue // it went away meanwhile
		}
		r := transactionRow{
			ID: d.TxnID, State: d.State, Producer: d.ProducerID, Epoch: d.ProducerEpoch, TimeoutMs: int64(d.TimeoutMillis), AgeMs: -1,
		}
		if open {
			r.AgeMs = max(0, time.Now().UnixMilli()-d.StartTimestamp)
		}
		for _, ps := range d.Topics {
			r.Partitions += len(ps)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func newTransactionAbort(c *cluster) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "abort ID", Short: "Abort the open transaction of a transactional id and fence its producer", Args: exact("ID"),
		Long: `Takes the transactional id over, as a new instance of its producer would: the open transaction is aborted, and the old producer,
if it still lives, fails at its next step.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var found transactionRow
			err := c.admin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				rows, err := listTransactions(ctx, adm, false)
				if err != nil {
					return failed("failed", fmt.Errorf("list transactions: %w", err), "")
				}
				for _, r := range rows {
					if r.ID == args[0] {
						found = r
						return nil
					}
				}
				return failed("no_open_transaction", fmt.Errorf("transactional id %s has no open transaction", args[0]), "mainstem transaction list")
			})
			if err != nil {
				return err
			}
			if !yes {
				return usage("aborting %s discards what it wrote to %d partition(s) in %s and stops its producer: repeat with --yes", args[0], found.Partitions, spanText(found.AgeMs))
			}
			if err := c.takeOver(cmd.Context(), args[0]); err != nil {
				return err
			}
			if c.json {
				return c.print(map[string]any{"id": args[0], "aborted": true})
			}
			fmt.Fprintf(c.env.Out, "aborted the transaction of %s\n", args[0])
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really abort")
	return cmd
}

// takeOver initialises the transactional id as a new producer instance does.
func (c *cluster) takeOver(ctx context.Context, id string) error {
	cl, err := c.connect(kgo.TransactionalID(id))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if _, _, err := cl.ProducerID(ctx); err != nil {
		var ke *kerr.Error
		if errors.As(err, &ke) {
			return failed(strings.ToLower(ke.Message), fmt.Errorf("abort %s: %s", id, ke.Description), "")
		}
		return failed("failed", fmt.Errorf("abort %s: %w", id, err), "")
	}
	return nil
}

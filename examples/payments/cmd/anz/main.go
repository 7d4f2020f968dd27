// Command anz converts the ANZ data set into the two payment channels, and checks a customer.db against its known answer.
//
//	anz convert -in anz.csv.gz -out DIR [-shuffle SEED]
//	anz check -db customer.db -expected expected-last5.jsonl
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/anz"
)

const usage = `usage:
  anz convert -in anz.csv.gz -out DIR [-shuffle SEED]       write DIR/cc-payment.jsonl and DIR/bank-transfer-payment.jsonl
  anz check -db customer.db -expected expected-last5.jsonl  compare the database with the known last five payments
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "anz:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("anz "+command, flag.ExitOnError)
	switch command {
	case "convert":
		var c anz.Conversion
		flags.StringVar(&c.Input, "in", "anz.csv.gz", "the data set, as it came")
		flags.StringVar(&c.Output, "out", ".", "directory for the two channels")
		flags.Uint64Var(&c.Shuffle, "shuffle", 0, "seed of another order of arrival; 0 keeps the set's own")
		_ = flags.Parse(args) // exits on error
		counts, err := c.Run()
		if err != nil {
			return err
		}
		fmt.Printf("%d card payments, %d bank transfers in %s\n", counts[payments.CardTopic], counts[payments.TransferTopic], c.Output)
		return nil
	case "check":
		database := flags.String("db", "customer.db", "the Customer Service's database")
		expected := flags.String("expected", "expected-last5.jsonl", "the known answer")
		_ = flags.Parse(args) // exits on error
		count, err := anz.Check(context.Background(), *database, *expected)
		if err != nil {
			return err
		}
		fmt.Printf("equal: %d customers, %d rows\n", count.Customers, count.Rows)
		return nil
	}
	fmt.Fprint(os.Stderr, usage)
	os.Exit(2)
	return nil
}

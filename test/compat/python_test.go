package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/internal/need"
	"github.com/mainstemio/mainstem/serde"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The example's bank transfer service is a Python program: what it publishes must be what the pipeline reads.
func TestTheBankTransferService(t *testing.T) {
	const count = 25
	address := broker(t)
	ends := func() (n int64) {
		cl, err := kgo.NewClient(kgo.SeedBrokers(address))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		listed, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), "BANK-TRANSFER-PAYMENT")
		if err == nil {
			listed.Each(func(o kadm.ListedOffset) { n += max(o.Offset, 0) })
		}
		return n
	}
	before := ends()
	service, err := filepath.Abs("../../examples/payments/cmd/transfers/transfers.py")
	if err != nil {
		t.Fatal(err)
	}
	said := output(t, run{path: python(t), args: []string{service, "--bootstrap", address, "--rate", "0", "--count", fmt.Sprint(count), "--seed", fmt.Sprint(before + 1)}})
	contains(t, said, fmt.Sprintf("%d bank transfers published", count))
	if n := ends() - before; n != count {
		t.Errorf("%d records are there", n)
	}

	cl, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumeTopics("BANK-TRANSFER-PAYMENT"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	decode := serde.JSON[payments.BankTransfer]().Decode
	seen := map[int64]bool{}
	for len(seen) < count {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			transfer, err := decode(r.Value)
			if err != nil {
				t.Fatalf("%s: %v", r.Value, err)
			}
			common := transfer.Common()
			if common.CustomerID < 1 || common.ReferenceNo == "" || common.AccountNo == "" || time.Since(common.TrxDate.Time()).Abs() > time.Hour {
				t.Errorf("%s became %+v", r.Value, common)
			}
			seen[transfer.TrxID] = true
		})
	}
}

// python is the interpreter that has the client libraries.
func python(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(".venv", "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		need.Missing(t, "no Python clients: run test/compat/setup.sh")
	}
	return path
}

// TestPython runs the scenarios in python/*.py: each script makes its own claims and exits with 0 if all hold.
func TestPython(t *testing.T) {
	python, address := python(t), broker(t)
	for _, library := range []string{"confluent", "aio", "pure"} {
		scenarios := []string{"plain", "group", "transactions", "administer"}
		if library == "confluent" { // the only one that has the consumer protocol (KIP-848)
			scenarios = append(scenarios, "nextgen")
		}
		for _, scenario := range scenarios {
			t.Run(library+"/"+scenario, func(t *testing.T) {
				output(t, run{path: python, args: []string{filepath.Join("python", library+".py"), address, unique(t), scenario}})
			})
		}
	}
}

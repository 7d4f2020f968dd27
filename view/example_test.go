package view_test

import (
	"fmt"

	"github.com/mainstemio/mainstem"
	"github.com/mainstemio/mainstem/record"
	"github.com/mainstemio/mainstem/state"
	"github.com/mainstemio/mainstem/stream"
	"github.com/mainstemio/mainstem/view"
)

// A program shows what its pipeline knows: a row of a table, all rows, and a range of a processor's store.
func ExampleSource() {
	show := func(p *mainstem.Pipeline, balances stream.Table[string, int64], open *state.Builder[state.KeyValueStore[string, string]]) error {
		table := view.Of(p.Tables(), balances)
		balance, found, err := table.Get("0123456789")
		if err != nil {
			return err
		}
		fmt.Println(balance, found)
		err = table.Scan(func(account string, balance int64, at record.Timestamp) bool {
			fmt.Println(account, balance, at)
			return true
		})
		if err != nil {
			return err
		}
		return view.Read(p.Tables(), open, func(s state.KeyValueStore[string, string]) error {
			for id, order := range s.Range("2026-11-01", "2026-11-30", state.Descending) {
				fmt.Println(id, order)
			}
			return nil
		})
	}
	_ = show
}

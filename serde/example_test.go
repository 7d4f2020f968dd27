package serde_test

import (
	"fmt"

	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/serde"
)

type Transfer struct {
	ID     int64       `json:"trxId"`
	Amount row.Decimal `json:"trxAmount" serde:"required"`
	From   string      `json:"accountNo"`
}

func ExampleJSON() {
	transfers := serde.JSON[Transfer]()

	t, err := transfers.Decode([]byte(`{"trxId": 7, "trxAmount": "120.50", "accountNo": "0123456789", "channel": "new fields do not hurt"}`))
	fmt.Println(t.Amount, err)

	text, err := transfers.Append(nil, t)
	fmt.Println(string(text), err)

	_, err = transfers.Decode([]byte(`{"trxId": 8, "accountNo": "0123456789"}`))
	fmt.Println(err)
	// Output:
	// 120.50 <nil>
	// {"trxId":7,"trxAmount":120.50,"accountNo":"0123456789"} <nil>
	// json: trxAmount at byte 0: missing
}

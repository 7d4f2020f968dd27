package row_test

import (
	"fmt"

	"github.com/mainstemio/mainstem/row"
)

func ExampleDecimal() {
	price, err := row.ParseDecimal("1.50")
	if err != nil {
		fmt.Println(err)
		return
	}
	other, _ := row.ParseDecimal("15e-1")
	fmt.Println(price, other, price.Equal(other), price == other)
	// Output: 1.50 1.5 true false
}

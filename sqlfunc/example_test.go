package sqlfunc_test

import (
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/sqlfunc"
)

// A function of Go becomes one of SQL; mainstem.WithFunctions(masked) gives it to a node, sqltest.Run to tests of statements.
func Example() {
	type card struct {
		Number string
		Holder *string
	}
	masked := sqlfunc.New("MASKED", "A card's number but for its last four digits.",
		sqlfunc.Scalar1(func(number string) (string, error) {
			return strings.Repeat("*", max(len(number)-4, 0)) + number[max(len(number)-4, 0):], nil
		}),
		sqlfunc.Scalar1(func(c card) (string, error) { return "the card of " + *c.Holder, nil }),
	)
	for _, o := range masked.Overloads {
		fmt.Println(masked.Name + o.(sqlfunc.Scalar).Signature)
	}
	v, err := masked.Overloads[0].(sqlfunc.Scalar).Eval([]row.Value{row.NewString("4111111111111111")})
	fmt.Println(v.Text(), err)
	// Output:
	// MASKED(VARCHAR) VARCHAR
	// MASKED(STRUCT<`NUMBER` VARCHAR, `HOLDER` VARCHAR>) VARCHAR
	// ************1111 <nil>
}

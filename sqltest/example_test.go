package sqltest_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/sqlfunc"
	"github.com/mainstemio/mainstem/sqltest"
)

// place is a STRUCT<LAT DOUBLE, LON DOUBLE>.
type place struct{ Lat, Lon float64 }

// product is the state of GEO_MEAN.
type product struct {
	Logs float64
	N    int64
}

// functions are those of a program of payments; the node gets them by mainstem.WithFunctions(functions...).
var functions = []sqlfunc.Function{
	sqlfunc.New("MASKED", "A card's number but for its last four digits.", sqlfunc.Scalar1(func(card string) (string, error) {
		if len(card) < 8 {
			return "", errors.New("this is no card")
		}
		return strings.Repeat("*", len(card)-4) + card[len(card)-4:], nil
	})),
	sqlfunc.New("FEE", "What a payment costs: one and a half percent.", sqlfunc.Scalar1(func(amount row.Decimal) (row.Decimal, error) {
		unscaled, scale, _ := amount.Short()
		return row.NewDecimal(unscaled*15, uint8(scale)+3), nil
	}).As("(DECIMAL) DECIMAL(12, 2)")),
	sqlfunc.New("GEO_MEAN", "The geometric mean.", sqlfunc.Aggregate1(sqlfunc.Fold1[float64, product, float64]{
		Add: func(p product, x float64) (product, error) {
			if x <= 0 {
				return p, errors.New("not above zero")
			}
			return product{p.Logs + math.Log2(x), p.N + 1}, nil
		},
		Undo:   func(p product, x float64) (product, error) { return product{p.Logs - math.Log2(x), p.N - 1}, nil },
		Merge:  func(a, b product) (product, error) { return product{a.Logs + b.Logs, a.N + b.N}, nil },
		Result: func(p product) (float64, error) { return math.Exp2(p.Logs / float64(p.N)), nil },
	})),
	sqlfunc.New("DIGITS", "The digits of a text, a row each.", sqlfunc.Table1(func(text string) ([]int32, error) {
		var out []int32
		for _, c := range text {
			out = append(out, c-'0')
		}
		return out, nil
	})),
	sqlfunc.New("HEMISPHERE", "NORTH or SOUTH.", sqlfunc.Scalar1(func(p place) (string, error) {
		if p.Lat < 0 {
			return "SOUTH", nil
		}
		return "NORTH", nil
	})),
}

func Example() {
	err := sqltest.Run(context.Background(), os.Stdout, sqltest.Options{Functions: functions}, "testdata/cards.sql")
	fmt.Println(err)
	// Output:
	// ok    testdata/cards.sql: a scalar function
	// ok    testdata/cards.sql: an aggregate
	// ok    testdata/cards.sql: a table function
	// ok    testdata/cards.sql: a structure
	// 4 tests, 4 ok, 0 failed
	// <nil>
}

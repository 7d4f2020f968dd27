package qtt

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// addTestFunctions adds the functions that some cases call and no user has, as far as their results show what they do.
func addTestFunctions(l *function.Library) error {
	var failed []error
	for _, f := range []function.Scalar{describesArguments(), failing(), checked("WHENCONDITION", "BOOLEAN"), checked("WHENRESULT", "INT")} {
		failed = append(failed, l.Add(f))
	}
	for _, f := range []function.Table{texts(), throwing()} {
		failed = append(failed, l.AddTable(f))
	}
	for _, f := range testAggregates() {
		failed = append(failed, l.AddAggregate(f))
	}
	return errors.Join(failed...)
}

// describesArguments says which of its signatures was chosen; with a struct it returns the field, without arguments a struct.
func describesArguments() function.Scalar {
	f := function.Scalar{Doc: function.Doc{Name: "TEST_UDF"}}
	for _, args := range []string{"INT, STRING", "BIGINT, STRING", "BIGINT, BIGINT, STRING", "BIGINT..."} {
		said := "doStuff" + strings.NewReplacer("INT...", "Varargs", "BIGINT...", "LongVarargs", "BIGINT", "Long", "INT", "Int", "STRING", "String", ", ", "").Replace(args)
		f.Overloads = append(f.Overloads, function.Overload{
			Signature: "(" + args + ") STRING", Nulls: true,
			Eval: func([]row.Value) (row.Value, error) { return row.NewString(said), nil },
		})
	}
	const oneField = "STRUCT<A STRING>"
	f.Overloads = append(f.Overloads, function.Overload{
		Signature: "(" + oneField + ") STRING",
		Eval:      func(args []row.Value) (row.Value, error) { return args[0].Row().At(0), nil },
	}, function.Overload{
		Signature: "() " + oneField,
		Eval:      func([]row.Value) (row.Value, error) { return row.NewStruct(row.NewString("foo")), nil },
	})
	return f
}

var errAsked = errors.New("it fails because it was asked to")

// failing fails for a number, and for true; of a text it returns null and the text by turns.
func failing() function.Scalar {
	return function.Scalar{Doc: function.Doc{Name: "BAD_UDF"}, Overloads: []function.Overload{
		{Signature: "(INT) INT", Eval: func([]row.Value) (row.Value, error) { return row.Null, errAsked }},
		{Signature: "(BOOLEAN) INT", Eval: func(args []row.Value) (row.Value, error) {
			if args[0].Boolean() {
				return row.Null, errAsked
			}
			return row.NewInt(0), nil
		}},
		{Signature: "(STRING) STRING", Varies: true, Bind: func(function.Binding) function.Eval {
			var calls atomic.Int64
			return func(args []row.Value) (row.Value, error) {
				if calls.Add(1)%2 == 1 {
					return row.Null, nil
				}
				return args[0], nil
			}
		}},
	}}
}

// checked returns its first argument, and fails if its second says that it should not have been called.
func checked(name, typ string) function.Scalar {
	return function.Scalar{Doc: function.Doc{Name: name}, Overloads: []function.Overload{{
		Signature: fmt.Sprintf("(%s, BOOLEAN) %s", typ, typ), Nulls: true,
		Eval: func(args []row.Value) (row.Value, error) {
			if !args[1].Boolean() {
				return row.Null, fmt.Errorf("%s: a branch that is not taken was computed", name)
			}
			return args[0], nil
		},
	}}}
}

// texts gives a row per argument: its text, or that of its first element or value. A number alone is itself.
func texts() function.Table {
	f := function.Table{Doc: function.Doc{Name: "TEST_UDTF"}}
	types := []string{"INT", "BIGINT", "DOUBLE", "BOOLEAN", "STRING", "DECIMAL", "STRUCT<A STRING>"}
	for _, wrap := range []string{"%s", "ARRAY<%s>", "MAP<STRING, %s>"} {
		params := make([]string, len(types))
		for i, t := range types {
			params[i] = fmt.Sprintf(wrap, t)
		}
		inside := map[string]int{"%s": -1, "ARRAY<%s>": 0, "MAP<STRING, %s>": 1}[wrap]
		f.Overloads = append(f.Overloads, function.TableOverload{
			Signature: "(" + strings.Join(params, ", ") + ") STRING",
			Rows: func(args []row.Value) ([]row.Value, error) {
				rows := make([]row.Value, len(args))
				for i, a := range args {
					if inside >= 0 {
						a = a.Row().At(inside)
					}
					rows[i] = row.NewString(javaText(a))
				}
				return rows, nil
			},
		})
	}
	f.Overloads = append(f.Overloads, function.TableOverload{
		Signature: "(INT) INT",
		Rows:      func(args []row.Value) ([]row.Value, error) { return []row.Value{args[0]}, nil },
	})
	return f
}

// javaText writes a value as Java's toString does.
func javaText(v row.Value) string {
	switch v.Kind() {
	case row.KindString:
		return v.Text()
	case row.KindBoolean:
		return fmt.Sprint(v.Boolean())
	case row.KindDouble:
		return string(java.AppendDouble(nil, v.Double()))
	case row.KindDecimal:
		return v.Decimal().String()
	case row.KindStruct:
		return "Struct{A=" + v.Row().At(0).Text() + "}"
	}
	return fmt.Sprint(v.Int64())
}

// throwing fails for true and gives one row for false.
func throwing() function.Table {
	return function.Table{Doc: function.Doc{Name: "THROWING_UDTF"}, Overloads: []function.TableOverload{{
		Signature: "(BOOLEAN) BOOLEAN",
		Rows: func(args []row.Value) ([]row.Value, error) {
			if args[0].Boolean() {
				return nil, errAsked
			}
			return []row.Value{args[0]}, nil
		},
	}}}
}

// Package user adds functions of users' own to the library.
//
// Purpose: what a program made with package sqlfunc becomes functions that statements call, checked, and fenced off: an error or a panic of
// theirs is one of the row.
//
// Callers and callees: the node and tools that test SQL call Add; it calls function and sqlfunc.
//
// Owner and locks: none of its own.
//
// Format: none.
//
// Not here: types of Go as types of SQL (sqlfunc).
package user

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/sql/ast"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
	"github.com/mainstemio/mainstem/sqlfunc"
)

var (
	errName     = errors.New("a name is letters, digits and _, and no reserved word of SQL")
	errTaken    = errors.New("SQL has a function of that name")
	errEmpty    = errors.New("it has no signature")
	errKinds    = errors.New("its signatures are of different kinds: a name is a scalar function, an aggregate or a table function")
	errNoCode   = errors.New("nothing computes it: Eval, New or Rows is not set")
	errNoDigits = errors.New(`the result is a DECIMAL without digits: write them with As("(…) DECIMAL(10, 2)"), or a tag decimal:"10,2" of the field`)
	errNoState  = errors.New("its state has no type")
)

// category is that of LIST FUNCTIONS.
const category = "USER"

// Add adds functions to a library, which has the functions of SQL already. The error says which of them cannot be one, and why.
func Add(lib *function.Library, functions ...sqlfunc.Function) error {
	for _, f := range functions {
		if err := add(lib, f); err != nil {
			return fmt.Errorf("function %s: %w", f.Name, err)
		}
	}
	return nil
}

func add(lib *function.Library, f sqlfunc.Function) error {
	name := strings.ToUpper(f.Name)
	reserved, _ := ast.Keyword(name)
	switch {
	case !isName(name) || reserved:
		return errName
	case lib.Kind(name) != function.None:
		return errTaken
	case len(f.Overloads) == 0:
		return errEmpty
	}
	doc := function.Doc{Name: name, Category: category, Text: f.Description, Author: f.Author, Version: f.Version}
	switch f.Overloads[0].(type) {
	case sqlfunc.Scalar:
		list, err := each(f.Overloads, scalar)
		if err != nil {
			return err
		}
		return lib.Add(function.Scalar{Doc: doc, Overloads: list})
	case sqlfunc.Aggregate:
		list, err := each(f.Overloads, aggregate(name))
		if err != nil {
			return err
		}
		return lib.AddAggregate(function.Aggregate{Doc: doc, Overloads: list})
	}
	list, err := each(f.Overloads, table)
	if err != nil {
		return err
	}
	return lib.AddTable(function.Table{Doc: doc, Overloads: list})
}

func isName(s string) bool {
	for i, c := range s {
		if (c < 'A' || c > 'Z') && c != '_' && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(s) > 1 // one letter is a type of a signature in messages
}

// each turns all overloads of a function, which are of one kind.
func each[O sqlfunc.Overload, F any](overloads []sqlfunc.Overload, turn func(O) (F, error)) ([]F, error) {
	out := make([]F, len(overloads))
	for i, o := range overloads {
		of, ok := o.(O)
		if !ok {
			return nil, errKinds
		}
		var err error
		if out[i], err = turn(of); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func scalar(s sqlfunc.Scalar) (function.Overload, error) {
	out := function.Overload{Signature: s.Signature, Returns: returning(s.Returns), Nulls: s.Nulls, Varies: s.Volatile}
	if err := check(s.Err, s.Eval == nil, s.Signature, s.Returns != nil); err != nil {
		return out, err
	}
	out.Bind = func(b function.Binding) function.Eval { return fenced(s.Eval, b.Returns) }
	return out, nil
}

func table(t sqlfunc.Table) (function.TableOverload, error) {
	out := function.TableOverload{Signature: t.Signature, Returns: returning(t.Returns)}
	if err := check(t.Err, t.Rows == nil, t.Signature, t.Returns != nil); err != nil {
		return out, err
	}
	out.Bind = func(b function.Binding) func([]row.Value) ([]row.Value, error) {
		return func(args []row.Value) ([]row.Value, error) {
			for _, v := range args {
				if v.IsNull() && !t.Nulls {
					return nil, nil
				}
			}
			return rowsOf(t, args, b.Returns)
		}
	}
	return out, nil
}

// rowsOf calls a table function.
func rowsOf(t sqlfunc.Table, args []row.Value, returns *row.Type) (rows []row.Value, err error) {
	defer recovered(&err)
	rows, err = t.Rows(args)
	for i := range rows {
		if err == nil {
			rows[i], err = fit(rows[i], returns)
		}
	}
	if err != nil {
		return nil, function.RowError{Err: err}
	}
	return rows, nil
}

func aggregate(name string) func(sqlfunc.Aggregate) (function.AggregateOverload, error) {
	return func(a sqlfunc.Aggregate) (function.AggregateOverload, error) {
		out := function.AggregateOverload{Signature: a.Signature, Returns: returning(a.Returns)}
		if err := check(a.Err, a.New == nil, a.Signature, a.Returns != nil); err != nil {
			return out, err
		}
		out.New = func(b function.Binding) (acc function.Accumulator, err error) {
			defer recovered(&err)
			x, err := a.New(b.Args, b.Consts)
			if err == nil && x.State == nil {
				err = errNoState
			}
			if err != nil {
				return acc, fmt.Errorf("%s: %w", name, err)
			}
			return accumulator(x, b.Returns), nil
		}
		return out, nil
	}
}

// accumulator is an aggregate whose functions are fenced off.
func accumulator(x sqlfunc.Accumulator, returns *row.Type) function.Accumulator {
	out := function.Accumulator{State: x.State, Initial: x.Initial, Add: step(x.Add), Undo: step(x.Undo)}
	if x.Merge != nil {
		merge := fenced(func(args []row.Value) (row.Value, error) { return x.Merge(args[0], args[1]) }, nil)
		out.Merge = func(a, b row.Value) (row.Value, error) { return merge([]row.Value{a, b}) }
	}
	result := func(args []row.Value) (row.Value, error) { return args[0], nil }
	if x.Result != nil {
		result = func(args []row.Value) (row.Value, error) { return x.Result(args[0]) }
	}
	result = fenced(result, returns)
	out.Result = func(state row.Value) (row.Value, error) { return result([]row.Value{state}) }
	return out
}

func step(f func(row.Value, []row.Value) (row.Value, error)) func(row.Value, []row.Value) (row.Value, error) {
	if f == nil {
		return nil
	}
	return func(state row.Value, args []row.Value) (next row.Value, err error) {
		defer recovered(&err)
		if next, err = f(state, args); err != nil {
			err = function.RowError{Err: err}
		}
		return next, err
	}
}

// returning keeps a panic of a function that tells a type from ending the process: the type is not known then.
func returning(f func([]*row.Type) *row.Type) func([]*row.Type) *row.Type {
	if f == nil {
		return nil
	}
	return func(args []*row.Type) (t *row.Type) {
		defer func() {
			if p := recover(); p != nil {
				t = nil
			}
		}()
		return f(args)
	}
}

// check is what of an overload can be told without calling it.
func check(err error, none bool, signature string, returns bool) error {
	_, result := function.Parameters(signature)
	switch {
	case err != nil:
		return err
	case none:
		return errNoCode
	case !returns && anyDecimal(result):
		return errNoDigits
	}
	return nil
}

// anyDecimal tells a type with a DECIMAL whose digits are not said.
func anyDecimal(t string) bool {
	for _, rest := range strings.Split(t, "DECIMAL")[1:] {
		if !strings.HasPrefix(strings.TrimLeft(rest, " "), "(") {
			return true
		}
	}
	return false
}

package user

import (
	"fmt"

	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// fenced calls a function of a user: what goes wrong in it is an error of the row. A result is checked against its type, so that no value gets
// into a row that its readers take for something else; nil: not.
func fenced(f func([]row.Value) (row.Value, error), returns *row.Type) function.Eval {
	return func(args []row.Value) (v row.Value, err error) {
		defer recovered(&err)
		if v, err = f(args); err == nil {
			v, err = fit(v, returns)
		}
		if err != nil {
			return row.Null, function.RowError{Err: err}
		}
		return v, nil
	}
}

// recovered makes a panic an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = function.RowError{Err: fmt.Errorf("panic: %v", p)}
	}
}

// fit brings decimals to the digits of their types, and refuses values of other types.
func fit(v row.Value, t *row.Type) (row.Value, error) {
	if t == nil || v.IsNull() {
		return v, nil
	}
	if v.Kind() != t.Kind {
		return row.Null, fmt.Errorf("it gave a %s for a result of type %s", v.Kind(), t)
	}
	switch {
	case t.Kind == row.KindDecimal:
		d, ok := v.Decimal().Fit(t.Precision, t.Scale)
		if !ok {
			return row.Null, fmt.Errorf("the result %s does not fit into %s", v.Decimal(), t)
		}
		return row.FromDecimal(d), nil
	case !t.Kind.IsNested():
		return v, nil
	case t.Kind == row.KindStruct && v.Row().Len() != len(t.Fields):
		return row.Null, fmt.Errorf("it gave %d fields for a result of type %s", v.Row().Len(), t)
	}
	return fitParts(v, t)
}

// fitParts fits the parts of a nested value; it is made anew only if one of them changes.
func fitParts(v row.Value, t *row.Type) (row.Value, error) {
	parts := v.Row().Values()
	changed := false
	for i, part := range parts {
		of := t.Elem
		switch {
		case t.Kind == row.KindStruct:
			of = t.Fields[i].Type
		case t.Kind == row.KindMap && i%2 == 0:
			of = t.Key
		}
		fitted, err := fit(part, of)
		if err != nil {
			return row.Null, err
		}
		changed = changed || fitted != part
		parts[i] = fitted
	}
	if !changed {
		return v, nil
	}
	return row.FromRow(t.Kind, row.NewRow(parts...)), nil
}

package sqlfunc

import "github.com/mainstemio/mainstem/row"

// table makes a table function of its parameters, its rows and what computes them.
func table(params []param, of param, f func(args []row.Value) ([]row.Value, error)) Table {
	signature, nulls, err := signatureOf(params, of)
	return Table{Signature: signature, Nulls: nulls, Err: err, Rows: func(args []row.Value) ([]row.Value, error) {
		if nulls && missing(params, args) {
			return nil, nil
		}
		return f(args)
	}}
}

// Table1 is a table function of one argument: a row for each element of what f returns.
func Table1[A, R any](f func(A) ([]R, error)) Table {
	a, r := codecOf[A](), codecOf[R]()
	return table([]param{a.param}, r.param, func(args []row.Value) ([]row.Value, error) {
		x, err := a.read(args[0])
		if err != nil {
			return nil, err
		}
		return r.results(f(x))
	})
}

// Table2 is a table function of two arguments.
func Table2[A, B, R any](f func(A, B) ([]R, error)) Table {
	a, b, r := codecOf[A](), codecOf[B](), codecOf[R]()
	return table([]param{a.param, b.param}, r.param, func(args []row.Value) ([]row.Value, error) {
		x, err := a.read(args[0])
		if err != nil {
			return nil, err
		}
		y, err := b.read(args[1])
		if err != nil {
			return nil, err
		}
		return r.results(f(x, y))
	})
}

// Table3 is a table function of three arguments.
func Table3[A, B, C, R any](f func(A, B, C) ([]R, error)) Table {
	a, b, c, r := codecOf[A](), codecOf[B](), codecOf[C](), codecOf[R]()
	return table([]param{a.param, b.param, c.param}, r.param, func(args []row.Value) ([]row.Value, error) {
		x, err := a.read(args[0])
		if err != nil {
			return nil, err
		}
		y, err := b.read(args[1])
		if err != nil {
			return nil, err
		}
		z, err := c.read(args[2])
		if err != nil {
			return nil, err
		}
		return r.results(f(x, y, z))
	})
}

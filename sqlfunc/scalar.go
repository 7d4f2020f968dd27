package sqlfunc

import "github.com/mainstemio/mainstem/row"

type eval = func(args []row.Value) (row.Value, error)

// scalar makes a function of its parameters, its result and what computes it.
func scalar(params []param, result param, f eval) Scalar {
	signature, nulls, err := signatureOf(params, result)
	s := Scalar{Signature: signature, Nulls: nulls, Err: err, Eval: f}
	if nulls {
		s.Eval = func(args []row.Value) (row.Value, error) {
			if missing(params, args) {
				return row.Null, nil
			}
			return f(args)
		}
	}
	return s
}

// Scalar0 is a function without arguments.
func Scalar0[R any](f func() (R, error)) Scalar {
	r := codecOf[R]()
	return scalar(nil, r.param, func([]row.Value) (row.Value, error) { return r.result(f()) })
}

// Scalar1 is a function of one argument.
func Scalar1[A, R any](f func(A) (R, error)) Scalar {
	a, r := codecOf[A](), codecOf[R]()
	return scalar([]param{a.param}, r.param, func(args []row.Value) (row.Value, error) {
		x, err := a.read(args[0])
		if err != nil {
			return row.Null, err
		}
		return r.result(f(x))
	})
}

// Scalar2 is a function of two arguments.
func Scalar2[A, B, R any](f func(A, B) (R, error)) Scalar {
	a, b, r := codecOf[A](), codecOf[B](), codecOf[R]()
	return scalar([]param{a.param, b.param}, r.param, func(args []row.Value) (row.Value, error) {
		x, err := a.read(args[0])
		if err != nil {
			return row.Null, err
		}
		y, err := b.read(args[1])
		if err != nil {
			return row.Null, err
		}
		return r.result(f(x, y))
	})
}

// Scalar3 is a function of three arguments.
func Scalar3[A, B, C, R any](f func(A, B, C) (R, error)) Scalar {
	a, b, c, r := codecOf[A](), codecOf[B](), codecOf[C](), codecOf[R]()
	return scalar([]param{a.param, b.param, c.param}, r.param, func(args []row.Value) (row.Value, error) {
		x, err := a.read(args[0])
		if err != nil {
			return row.Null, err
		}
		y, err := b.read(args[1])
		if err != nil {
			return row.Null, err
		}
		z, err := c.read(args[2])
		if err != nil {
			return row.Null, err
		}
		return r.result(f(x, y, z))
	})
}

// Scalar4 is a function of four arguments; more of them are a struct or a Scalar that is written out.
func Scalar4[A, B, C, D, R any](f func(A, B, C, D) (R, error)) Scalar {
	a, b, c, d, r := codecOf[A](), codecOf[B](), codecOf[C](), codecOf[D](), codecOf[R]()
	return scalar([]param{a.param, b.param, c.param, d.param}, r.param, func(args []row.Value) (row.Value, error) {
		x, err := a.read(args[0])
		if err != nil {
			return row.Null, err
		}
		y, err := b.read(args[1])
		if err != nil {
			return row.Null, err
		}
		z, err := c.read(args[2])
		if err != nil {
			return row.Null, err
		}
		w, err := d.read(args[3])
		if err != nil {
			return row.Null, err
		}
		return r.result(f(x, y, z, w))
	})
}

// ScalarN is a function of any number of arguments of one type.
func ScalarN[A, R any](f func(...A) (R, error)) Scalar {
	a, r := codecOf[A](), codecOf[R]()
	many := a.param
	many.variadic = true
	return scalar([]param{many}, r.param, func(args []row.Value) (row.Value, error) {
		list := make([]A, len(args))
		for i, v := range args {
			x, err := a.read(v)
			if err != nil {
				return row.Null, err
			}
			list[i] = x
		}
		return r.result(f(list...))
	})
}

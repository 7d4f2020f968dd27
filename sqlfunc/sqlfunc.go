// Package sqlfunc makes functions of SQL from functions of Go.
//
// Purpose: a program that has the node inside adds scalar functions, aggregates and table functions to SQL's own. They are called in
// statements as those are, and listed by LIST FUNCTIONS and DESCRIBE FUNCTION.
//
// Callers: programs, which hand Functions to mainstem.WithFunctions, and to sqltest.Run for tests. It calls package row.
//
// Owner and locks: a Function does not change once it is handed over. Queries call its Go functions from several goroutines at once.
//
// Format: types of Go stand for types of SQL:
//
//	bool             BOOLEAN           time.Time      TIMESTAMP, to the millisecond, in UTC
//	int32            INTEGER           time.Duration  TIME, since midnight, to the millisecond
//	int64, int       BIGINT            Date           DATE
//	float64          DOUBLE            []T            ARRAY<T>
//	row.Decimal      DECIMAL           map[K]V        MAP<K, V>
//	string           VARCHAR           struct         STRUCT, of its exported fields in their order
//	[]byte           BYTES             *T             T, and null
//
// and types that have one of these for their underlying type. A field's name in SQL is its name in Go in upper case, or what its tag `sql:"name"`
// says; `sql:"-"` leaves it out. A DECIMAL in a result or a structure needs its digits: by the tag `decimal:"10,2"` of the field, or by a
// Signature that is written out.
//
// Nulls: a function is not called where an argument is null, unless the parameter is a pointer: the result is null, a row is left out of an
// aggregate, a table function gives no rows. Within arrays, maps and structures null is a nil pointer, slice or map, and an error where the
// type of Go has no place for it. A result that is nil is null.
//
// What goes wrong: a function that returns an error or panics fails for that row only. The value is null, the row is left out of the
// aggregate, the table function gives no rows; the error is counted for the query and logged, as for functions of SQL itself. What no program
// can recover from (a deadlock, exhausted memory, os.Exit) ends the process, for functions run in it.
//
// Determinism: a function gives the same for the same arguments, unless Scalar.Volatile says otherwise. Calls with constants are computed
// once, pull queries compute results from stored states when they are read, and a query that is rebuilt calls everything again. Version is
// shown by DESCRIBE FUNCTION and compared by nobody: what a changed function computed before stays as it is. The state of an aggregate lies
// in stores: a program with another type of state does not start the queries that have it.
//
// Not here: functions with lambdas or interval units among their parameters.
package sqlfunc

import (
	"time"

	"github.com/mainstemio/mainstem/row"
)

// A Function is one name in SQL, with one or several signatures of the same kind.
type Function struct {
	Name        string // letters, digits and _; statements may write it in any case
	Description string // for LIST FUNCTIONS and DESCRIBE FUNCTION
	Author      string
	Version     string
	Overloads   []Overload // all Scalars, all Aggregates or all Tables
}

// New returns a function. What is wrong with it, as a type of Go that SQL has not, is told when it is handed to a node.
func New(name, description string, overloads ...Overload) Function {
	return Function{Name: name, Description: description, Overloads: overloads}
}

// An Overload is a function with one signature: a Scalar, an Aggregate or a Table.
type Overload interface{ overload() }

func (Scalar) overload()    {}
func (Aggregate) overload() {}
func (Table) overload()     {}

// A Scalar gives one value for one row. Scalar0 to Scalar4 and ScalarN make one of a function of Go; written out it can do more.
type Scalar struct {
	// Signature is "(VARCHAR, ARRAY<T>, INT...) T": types, letters for any type, ANY, and "..." behind the type that comes any number of times.
	Signature string
	// Returns gives the type of the result where the signature cannot; nil: it can. An argument of type nil is a bare NULL.
	Returns func(args []*row.Type) *row.Type
	// Nulls: Eval is called for null arguments too.
	Nulls bool
	// Volatile: the result is not the same each time for the same arguments.
	Volatile bool
	Eval     func(args []row.Value) (row.Value, error)
	// Err is why the function of Go cannot be one of SQL.
	Err error
}

// As returns the same function with a signature that is written out, for types that those of Go do not tell: As("(DECIMAL) DECIMAL(10, 2)").
func (s Scalar) As(signature string) Scalar {
	s.Signature = signature
	return s
}

// An Aggregate gives one value for a group of rows. Aggregate1 and Aggregate2 make one of functions of Go.
type Aggregate struct {
	Signature string // as of a Scalar; "const" behind a type: the argument is a literal
	Returns   func(args []*row.Type) *row.Type
	// New makes the aggregate ready for one statement: args are the types of the arguments that are no literals.
	New func(args []*row.Type, literals []row.Value) (Accumulator, error)
	Err error // why the functions of Go cannot be an aggregate of SQL
}

// As is as that of Scalar.
func (a Aggregate) As(signature string) Aggregate {
	a.Signature = signature
	return a
}

// An Accumulator computes an aggregate. States are values of one type, which lie in stores between rows.
type Accumulator struct {
	State   *row.Type
	Initial row.Value
	Add     func(state row.Value, args []row.Value) (row.Value, error)
	// Undo takes back an Add; nil: the aggregate is for streams only.
	Undo func(state row.Value, args []row.Value) (row.Value, error)
	// Merge joins the states of two sessions that became one; nil: the aggregate is not for SESSION windows.
	Merge func(earlier, later row.Value) (row.Value, error)
	// Result is what a state amounts to; nil: the state itself.
	Result func(state row.Value) (row.Value, error)
}

// A Table gives any number of rows for one row. Table1 to Table3 make one of a function of Go.
type Table struct {
	Signature string // as of a Scalar; the result is the type of a row
	Returns   func(args []*row.Type) *row.Type
	Nulls     bool // Rows is called for null arguments too
	Rows      func(args []row.Value) ([]row.Value, error)
	Err       error // why the function of Go cannot be one of SQL
}

// As is as that of Scalar.
func (t Table) As(signature string) Table {
	t.Signature = signature
	return t
}

// A Date is a day: the days since 1970-01-01.
type Date int32

// DateOf is the day of a time in UTC.
func DateOf(t time.Time) Date {
	const day = 24 * 60 * 60
	s := t.Unix()
	d := s / day
	if s%day < 0 {
		d--
	}
	return Date(d)
}

// Time is midnight at the beginning of the day, in UTC.
func (d Date) Time() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// String is the day as 2006-01-02.
func (d Date) String() string { return d.Time().Format(time.DateOnly) }

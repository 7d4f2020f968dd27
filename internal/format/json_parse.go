package format

import (
	"errors"
	"strconv"

	"github.com/mainstemio/mainstem/internal/java/datetime"
	"github.com/mainstemio/mainstem/internal/jsontext"
	"github.com/mainstemio/mainstem/internal/sql/decimal"
	"github.com/mainstemio/mainstem/row"
)

// ParseJSON reads a value as clients of ksqlDB's HTTP interface give it: in the forms that a JSONText writes, where a DECIMAL is rounded to
// its scale and may be text. Unlike a record's, no value is bent into another type: a fraction is no INTEGER, a number no text.
func ParseJSON(t *row.Type, b []byte) (row.Value, error) {
	i := jsontext.Space(b, 0)
	end, why := jsontext.Skip(b, i, 0)
	switch {
	case why != "":
		return row.Null, errors.New(why)
	case jsontext.Space(b, end) != len(b):
		return row.Null, errors.New("more than one JSON value")
	}
	return strictJSON.value(t, b[i:end])
}

var strictJSON = &jsonCodec{name: JSON, strict: true}

// strictWhole takes whole numbers that the type holds, and texts for times.
func strictWhole(k row.Kind, b []byte) (row.Value, error) {
	if b[0] == '"' {
		return temporalText(k, text(b))
	}
	bits := 64
	if k == row.KindInt {
		bits = 32
	}
	n, err := strconv.ParseInt(string(b), 10, bits)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return row.Null, reason("a number out of the range of " + k.String())
	case err != nil:
		return row.Null, reason("not a whole number")
	}
	return wholeOf(k, n), nil
}

func temporalText(k row.Kind, text string) (v row.Value, err error) {
	var n int64
	switch k {
	case row.KindDate:
		n, err = datetime.Date(text)
	case row.KindTime:
		n, err = datetime.Time(text)
	case row.KindTimestamp:
		n, err = datetime.Instant(text)
	default:
		return row.Null, reason("not a whole number")
	}
	if err != nil {
		return row.Null, err
	}
	return wholeOf(k, n), nil
}

func roundedDecimal(t *row.Type, b []byte) (row.Value, error) {
	d, err := jsonNumber(b)
	if err != nil {
		return row.Null, err
	}
	if d, err = decimal.Fit(d, t); err != nil {
		return row.Null, err
	}
	return row.FromDecimal(d), nil
}

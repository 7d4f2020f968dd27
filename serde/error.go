package serde

import "strconv"

// An Error says what is wrong with an encoded or a Go value, and where. It never quotes the value: what stands in a payload
// must not reach a log by way of an error. Names in Path are those of the Go type, not those of the payload.
type Error struct {
	Format string // "json", "int64", …
	Path   string // field path as in "payments[2].trxAmount"; {} stands for an entry of a map; empty for the value itself
	Offset int    // byte position in the input, from 0; -1 when encoding
	Reason string // what is wrong there, without the value
	cause  error  // what a method of the user's type returned, if its text is in Reason
}

// Error returns a text such as: json: payments[2].trxAmount at byte 17: not a decimal number.
func (e *Error) Error() string {
	text := e.Format + ":"
	if e.Path != "" {
		text += " " + e.Path
	}
	if e.Offset >= 0 {
		text += " at byte " + strconv.Itoa(e.Offset)
	}
	if e.Path == "" && e.Offset < 0 {
		return text + " " + e.Reason
	}
	return text + ": " + e.Reason
}

// Unwrap returns the error of a Validate, AppendJSON or ParseJSON method, or nil.
func (e *Error) Unwrap() error { return e.cause }

// inField puts a field's name in front of a path.
func inField(name, path string) string {
	if path == "" || path[0] == '[' || path[0] == '{' {
		return name + path
	}
	return name + "." + path
}

// inElement puts an index in front of a path.
func inElement(index int, path string) string {
	return inField("["+strconv.Itoa(index)+"]", path)
}

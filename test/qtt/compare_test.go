package qtt

import (
	"fmt"
	"slices"
	"strings"
)

// compareRecord compares a record with the wanted one.
func (c *testCase) compareRecord(want recordNode, got decodedRecord) error {
	key, err := parseJSON(want.Key)
	if err != nil {
		return err
	}
	value, err := parseJSON(want.Value)
	if err != nil {
		return err
	}
	if err := match(key, got.key, "key"); err != nil {
		return err
	}
	if !sameWindow(want.Window, got.window) {
		return fmt.Errorf("want %s, got %s", want.Window, got.window)
	}
	if err := match(value, got.value, "value"); err != nil {
		return err
	}
	if err := compareHeaders(want.Headers, got.headers); err != nil {
		return err
	}
	// Records of INSERT VALUES have the time of their insertion; a case that wants 0 does not care.
	anyTime := want.Timestamp == nil || len(c.Inputs) == 0 && *want.Timestamp == 0
	if !anyTime && *want.Timestamp != got.timestamp {
		return fmt.Errorf("timestamp: want %d, got %d", *want.Timestamp, got.timestamp)
	}
	return nil
}

func sameWindow(want, got *windowNode) bool {
	if want == nil || got == nil {
		return want == got
	}
	return want.Start == got.Start && want.End == got.End && strings.EqualFold(want.Type, got.Type)
}

func compareHeaders(want []headerNode, got []Header) error {
	same := func(w headerNode, g Header) bool {
		return w.Key == g.Key && (w.Value == nil) == (g.Value == nil) && string(w.Value) == string(g.Value)
	}
	if !slices.EqualFunc(want, got, same) {
		return fmt.Errorf("headers: want %q, got %q", want, got)
	}
	return nil
}

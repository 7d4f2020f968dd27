package sqlite

import (
	"errors"
	"strings"

	"github.com/mainstemio/mainstem/connect"
)

// Spec describes the options of an SQLite sink: where it writes and how long it waits. What it writes is Go code, in a Config.
func Spec() connect.Spec {
	return connect.Spec{
		Name: "sqlite",
		Doc: "Keeps a table of an SQLite database equal to topics, exactly once: rows and positions are written in one transaction, " +
			"durable when reported, and readers go on meanwhile.",
		Options: []connect.Option{
			{Name: "path", Doc: "The database file. It is created when missing, its directory is not.", Required: true, Check: checkPath},
			{
				Name: "busy-timeout", Doc: "How long to wait for another program's lock before trying again.", Kind: connect.Duration,
				Default: DefaultBusyTimeout.String(), Check: checkTimeout,
			},
		},
	}
}

// Kind makes sinks of one mapping from options: cfg's Path and BusyTimeout are taken from them.
func Kind[K, V any](cfg Config[K, V]) connect.SinkKind {
	return connect.SinkKind{Spec: Spec(), New: func(v connect.Values) (connect.Sink, error) {
		cfg := cfg
		cfg.Path, cfg.BusyTimeout = v.Text("path"), v.Duration("busy-timeout")
		s, err := New(cfg)
		if err != nil {
			return nil, err // not s: a nil pointer in an interface is no nil
		}
		return s, nil
	}}
}

func checkPath(v string) error {
	if v == "" || strings.Contains(v, "\x00") {
		return errors.New("is no path of a file")
	}
	return nil
}

func checkTimeout(v string) error {
	if strings.HasPrefix(v, "-") {
		return errors.New("must not be negative")
	}
	return nil
}

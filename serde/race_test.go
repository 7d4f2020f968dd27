//go:build race

package serde

const raceEnabled = true

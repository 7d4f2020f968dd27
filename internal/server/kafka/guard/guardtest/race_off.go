//go:build !race

package guardtest

// RaceDetector tells whether the race detector is on: it allocates for itself, so memory is not measured then.
const RaceDetector = false

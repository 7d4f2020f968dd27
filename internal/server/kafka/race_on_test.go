//go:build race

package kafka

// The race detector allocates for itself: memory is not measured then.
const raceDetector = true

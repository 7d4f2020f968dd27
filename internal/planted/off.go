//go:build !plantedbugs

package planted

// Is tells whether b is the planted bug.
func Is(Bug) bool { return false }

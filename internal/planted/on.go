//go:build plantedbugs

package planted

import "os"

var chosen = Bug(os.Getenv("MAINSTEM_PLANTED_BUG"))

// Is tells whether b is the planted bug.
func Is(b Bug) bool { return b == chosen }

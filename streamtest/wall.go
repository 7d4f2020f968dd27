package streamtest

import (
	"time"

	"github.com/mainstemio/mainstem/record"
)

// AdvanceWallTime moves the wall clock, which begins at 0, that is 1970, and makes the calls that are due by it then; what they emit is
// processed to the end. It does not move stream time.
func (d *Driver) AdvanceWallTime(by time.Duration) { d.fail(d.TryAdvanceWallTime(by)) }

// TryAdvanceWallTime is AdvanceWallTime with the error returned.
func (d *Driver) TryAdvanceWallTime(by time.Duration) error {
	if err := d.tryFlush(); err != nil {
		return err
	}
	d.wall += record.Timestamp(by.Milliseconds())
	for _, set := range d.sets {
		if d.err = set.Tick(output{d}, d.wall); d.err != nil {
			return d.err
		}
	}
	return d.tryFlush()
}

// WallTime returns the time of the wall clock.
func (d *Driver) WallTime() record.Timestamp { return d.wall }

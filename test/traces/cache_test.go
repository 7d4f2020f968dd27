package traces

import "github.com/mainstemio/mainstem/streamtest"

func (r *run) cacheOptions() []streamtest.Option {
	var opts []streamtest.Option
	if bytes := r.c.Config.Cache; bytes > 0 {
		opts = append(opts, streamtest.Cached(bytes))
	}
	if r.c.Config.Commit == "manual" {
		opts = append(opts, streamtest.ManualCommit())
	}
	return opts
}

// commit flushes the caches of a case with manual commits.
func (r *run) commit() error { return r.d.TryCommit() }

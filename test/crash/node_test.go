package crash

import (
	"path/filepath"
	"testing"
	"time"
)

// TestNodeSurvivesKills kills a node that runs everything (broker, pipeline, sink, Customer Service) at random moments, also while
// it recovers, under load from producers outside of it.
func TestNodeSurvivesKills(tt *testing.T) {
	t := newTrial(tt)
	addrs := t.ports(3)
	data := filepath.Join(t.dir, "data")
	s := system{bootstrap: addrs[0], database: filepath.Join(data, "customer.db")}

	dev := t.start("mainstem", "dev", "--data", data, "--kafka", addrs[0], "--http", addrs[1])
	t.createTopics(addrs[0], spread)
	dev.kill()

	node := func() *process {
		return t.start("mainstem", "demo", "payments", "--rate", "0", "--data", data, "--kafka", addrs[0], "--http", addrs[1], "--customer", addrs[2])
	}
	s.services = t.newServices(4, addrs[0], 60)
	for _, sv := range s.services {
		sv.run(t)
	}
	kills := t.count("MAINSTEM_CRASH_KILLS", 5)
	var slowest time.Duration
	for k := range kills {
		p := node()
		if t.rand.IntN(4) == 0 {
			t.pause(t.between(0, 300*time.Millisecond)) // perhaps before it is ready
			p.mustLive()
		} else {
			slowest = max(slowest, t.firstAck(s.services, p))
			t.pause(t.between(0, 600*time.Millisecond))
		}
		p.mustLive()
		p.kill()
		if (k+1)%100 == 0 {
			t.Logf("%d kills", k+1)
		}
	}
	last := node()
	slowest = max(slowest, t.firstAck(s.services, last))
	for _, sv := range s.services {
		sv.stop(t)
	}
	v := t.check(s)
	t.Logf("%d kills; %s; longest from start to first acknowledgement %s", kills, v, slowest.Round(time.Millisecond))
	last.stop()
}

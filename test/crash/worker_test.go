package crash

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/need"
)

// TestDevBrokerAndWorkerSurviveKills kills, again and again, a random one of the broker, the pipeline and the Customer Service.
func TestDevBrokerAndWorkerSurviveKills(tt *testing.T) {
	t := newTrial(tt)
	c := t.newChain(3, 40)
	c.publish()
	c.movesOn()
	kills := t.count("MAINSTEM_CRASH_KILLS", 5)
	var slowest time.Duration
	for range kills {
		switch t.rand.IntN(3) {
		case 0:
			c.broker.kill()
			c.startBroker()
		case 1:
			c.pipeline.kill()
			c.startPipeline()
		case 2:
			c.customer.kill()
			c.startCustomer()
		}
		if t.rand.IntN(4) == 0 { // the next one before the chain is whole again
			t.pause(t.between(0, 300*time.Millisecond))
			continue
		}
		slowest = max(slowest, c.movesOn())
		t.pause(t.between(0, 300*time.Millisecond))
	}
	v := c.settle()
	t.Logf("%d kills; %s; longest until customer.db moved on %s", kills, v, slowest.Round(time.Millisecond))
}

// TestWorkerOnKafkaSurvivesKills runs the same pipeline on Apache Kafka and kills it.
func TestWorkerOnKafkaSurvivesKills(tt *testing.T) {
	t := newTrial(tt)
	c := &chain{trial: t}
	c.bootstrap = t.startKafka()
	c.http = t.ports(1)[0]
	c.database = filepath.Join(t.dir, "customer.db")
	c.services = t.newServices(3, c.bootstrap, 40)
	t.createTopics(c.bootstrap, spread)
	c.startPipeline()
	c.startCustomer()
	c.publish()
	c.movesOn()
	kills := t.count("MAINSTEM_KAFKA_KILLS", 3)
	var slowest time.Duration
	for range kills {
		c.pipeline.kill()
		c.startPipeline()
		if t.rand.IntN(4) == 0 {
			t.pause(t.between(0, 500*time.Millisecond))
			continue
		}
		slowest = max(slowest, c.movesOn())
		t.pause(t.between(0, 500*time.Millisecond))
	}
	v := c.settle()
	t.Logf("%d kills; %s; longest until customer.db moved on %s", kills, v, slowest.Round(time.Millisecond))
}

// startKafka runs one Apache Kafka node until the test ends and returns its address.
func (t *trial) startKafka() string {
	t.Helper()
	need.Program(t, "java")
	script, err := filepath.Abs("../compat/kafka/kafka.sh")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(script), "lib", ".complete")); err != nil {
		need.Missing(t, "no Kafka artifacts: run test/compat/kafka/kafka.sh fetch")
	}
	dir := filepath.Join(t.dir, "kafka")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	addr, port := t.portPair()
	t.Cleanup(func() {
		if out, err := exec.Command(script, "kill", dir).CombinedOutput(); err != nil {
			t.Logf("end Kafka: %v\n%s", err, out)
		}
	})
	if out, err := exec.CommandContext(t.ctx, script, "start", dir, port).CombinedOutput(); err != nil {
		t.Fatalf("start Apache Kafka: %v\n%s", err, out)
	}
	return addr
}

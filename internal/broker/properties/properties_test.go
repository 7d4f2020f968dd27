package properties

import (
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
)

func TestSettingsAreReadByKafkasNames(t *testing.T) {
	var o broker.Options
	err := Apply(&o, map[string]string{
		"auto.create.topics.enable": "FALSE", "num.partitions": " 6 ", "log.retention.hours": "2", "segment.bytes": "1048576",
		"log.cleanup.policy": "compact", "log.cleaner.backoff.ms": "20", "log.cleaner.enable": "false", "offsets.retention.minutes": "3",
		"group.consumer.migration.policy": "Upgrade", "group.consumer.session.timeout.ms": "9000",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"retention.ms": "7200000", "segment.bytes": "1048576", "cleanup.policy": "compact"}
	if !o.NoAutoCreate || o.DefaultPartitions != 6 || !maps.Equal(o.TopicDefaults, want) || o.Cleanup.Backoff != 20*time.Millisecond ||
		!o.Cleanup.NoCompaction || o.Group.Retention != 3*time.Minute || o.Group.Consumer.Migration != "upgrade" || o.Group.Consumer.Session != 9*time.Second {
		t.Errorf("%+v", o)
	}
}

func TestTheFinestUnitDecides(t *testing.T) {
	for _, c := range []struct{ of, want string }{
		{"log.retention.hours=1", "3600000"},
		{"log.retention.hours=-1", "-1"},
		{"log.retention.hours=1 log.retention.minutes=2", "120000"},
		{"log.retention.hours=1 log.retention.minutes=2 log.retention.ms=3", "3"},
		{"log.retention.minutes=2 retention.ms=4", "4"},
	} {
		values := map[string]string{}
		for _, pair := range strings.Fields(c.of) {
			name, v, _ := strings.Cut(pair, "=")
			values[name] = v
		}
		var o broker.Options
		if err := Apply(&o, values); err != nil || o.TopicDefaults["retention.ms"] != c.want {
			t.Errorf("%s: %q, %v", c.of, o.TopicDefaults["retention.ms"], err)
		}
	}
}

func TestWrongSettingsAreNamedAndChangeNoDefaults(t *testing.T) {
	for _, c := range []string{
		"retention=5", "node.id=7", "num.partitions=0", "num.partitions=x", "auto.create.topics.enable=maybe", "log.retention.ms=soon",
		"log.retention.hours=9223372036854775807", "log.cleaner.backoff.ms=0", "group.consumer.migration.policy=up", "cleanup.policy=shred",
		"leader.replication.throttled.replicas=*",
	} {
		name, v, _ := strings.Cut(c, "=")
		o := broker.Options{TopicDefaults: map[string]string{"retention.ms": "1"}}
		err := Apply(&o, map[string]string{name: v, "segment.bytes": "1048576"})
		if err == nil || !strings.Contains(err.Error(), v) || len(o.TopicDefaults) != 1 {
			t.Errorf("%s: %v, %v", c, err, o.TopicDefaults)
		}
	}
	if err := Apply(new(broker.Options), map[string]string{"retention": "5"}); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// The page for users names every setting that no topic follows, and the list has those that topics do.
func TestEverySettingIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range ofNode {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("%s is not on the page", name)
		}
	}
	for name := range coarse {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("%s is not on the page", name)
		}
	}
}

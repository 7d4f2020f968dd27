// Package properties reads the settings of a node by the names that they have in Kafka's server.properties.
//
// The root calls it with what a user has set and opens the broker with the result. It calls package settings, which knows what
// topics follow, and fills broker.Options.
//
// No state, no locks.
//
// Format: names and values are Kafka's ("log.retention.ms"); the name of a topic setting ("retention.ms") stands for the node's
// default of it. Of several names for one thing the finest unit decides, as in Kafka: milliseconds before minutes before hours.
//
// Not here: settings that clients change while the node runs (broker.AlterNodeConfigs). They go before these.
package properties

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/broker/settings"
	"github.com/mainstemio/mainstem/internal/coordinator/group"
)

// ErrUnknown: a node has no setting of that name, or none that can be set.
var ErrUnknown = errors.New("unknown setting of a node")

// Apply sets what values say in o, which keeps the rest. Errors name the setting: ErrUnknown, or what is wrong with its value.
func Apply(o *broker.Options, values map[string]string) error {
	topics := maps.Clone(o.TopicDefaults)
	if topics == nil {
		topics = map[string]string{}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := strings.TrimSpace(values[name])
		var err error
		switch set, topic := ofNode[name], topicSetting(name); {
		case set != nil:
			err = set(o, v)
		case topic == nil && coarse[name] == (unit{}):
			err = ErrUnknown
		case topic != nil:
			topics[topic.Name] = v
		default:
			err = coarse[name].set(topics, values, v)
		}
		if err != nil {
			return fmt.Errorf("setting %s=%s: %w", name, values[name], err)
		}
	}
	if err, detail := settings.Check(topics); err != nil {
		return errors.New(detail)
	}
	o.TopicDefaults = topics
	return nil
}

// topicSetting finds what topics follow by either of its names.
func topicSetting(name string) *settings.Setting {
	for i := range settings.Table {
		if s := &settings.Table[i]; s.Broker != "" && (s.Name == name || s.Broker == name) {
			return s
		}
	}
	return nil
}

// A unit is a setting in hours or minutes of what topic has in milliseconds; before names those that decide when they are set, too.
type unit struct {
	topic  string
	length time.Duration
	before [2]string
}

var coarse = map[string]unit{
	"log.retention.minutes": {"retention.ms", time.Minute, [2]string{"log.retention.ms"}},
	"log.retention.hours":   {"retention.ms", time.Hour, [2]string{"log.retention.ms", "log.retention.minutes"}},
	"log.roll.hours":        {"segment.ms", time.Hour, [2]string{"log.roll.ms"}},
	"log.roll.jitter.hours": {"segment.jitter.ms", time.Hour, [2]string{"log.roll.jitter.ms"}},
}

func (u unit) set(topics, values map[string]string, v string) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if most := math.MaxInt64 / u.length.Milliseconds(); err != nil || n < -1 || n > most {
		return fmt.Errorf("want a whole number from -1 to %d", most)
	}
	for _, name := range append(u.before[:], u.topic) {
		if _, finer := values[name]; finer && name != "" {
			return nil
		}
	}
	if n > 0 {
		n *= u.length.Milliseconds()
	}
	topics[u.topic] = strconv.FormatInt(n, 10)
	return nil
}

type setter = func(o *broker.Options, v string) error

// ofNode are the settings that no topic follows.
var ofNode = map[string]setter{
	"auto.create.topics.enable": flag(func(o *broker.Options, on bool) { o.NoAutoCreate = !on }),
	"num.partitions":            count(1, func(o *broker.Options) *int32 { return &o.DefaultPartitions }),

	"log.cleaner.backoff.ms":          duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Cleanup.Backoff }),
	"log.cleaner.dedupe.buffer.size":  count(1, func(o *broker.Options) *int64 { return &o.Cleanup.MapBytes }),
	"log.cleaner.enable":              flag(func(o *broker.Options, on bool) { o.Cleanup.NoCompaction = !on }),
	"log.retention.check.interval.ms": duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Cleanup.CheckInterval }),

	"group.consumer.heartbeat.interval.ms":     duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Group.Consumer.Heartbeat }),
	"group.consumer.max.heartbeat.interval.ms": duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Group.Consumer.MaxHeartbeat }),
	"group.consumer.max.session.timeout.ms":    duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Group.Consumer.MaxSession }),
	"group.consumer.max.size":                  count(1, func(o *broker.Options) *int { return &o.Group.Consumer.MaxSize }),
	"group.consumer.migration.policy":          migration,
	"group.consumer.min.heartbeat.interval.ms": duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Group.Consumer.MinHeartbeat }),
	"group.consumer.min.session.timeout.ms":    duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Group.Consumer.MinSession }),
	"group.consumer.session.timeout.ms":        duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Group.Consumer.Session }),
	"group.initial.rebalance.delay.ms":         duration(time.Millisecond, 0, func(o *broker.Options) *time.Duration { return &o.Group.InitialDelay }),
	"group.max.session.timeout.ms":             duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Group.MaxSession }),
	"group.max.size":                           count(1, func(o *broker.Options) *int { return &o.Group.MaxSize }),
	"group.min.session.timeout.ms":             duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Group.MinSession }),

	"offset.metadata.max.bytes":      count(1, func(o *broker.Options) *int { return &o.Group.MaxMetadata }),
	"offsets.retention.minutes":      duration(time.Minute, 1, func(o *broker.Options) *time.Duration { return &o.Group.Retention }),
	"transaction.max.timeout.ms":     duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Txn.MaxTimeout }),
	"transactional.id.expiration.ms": duration(time.Millisecond, 1, func(o *broker.Options) *time.Duration { return &o.Txn.Expiry }),
}

func flag(set func(o *broker.Options, on bool)) setter {
	return func(o *broker.Options, v string) error {
		on, err := strconv.ParseBool(strings.ToLower(v))
		if err != nil {
			return errors.New("want true or false")
		}
		set(o, on)
		return nil
	}
}

func duration(unit time.Duration, low int64, of func(o *broker.Options) *time.Duration) setter {
	return func(o *broker.Options, v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if most := int64(math.MaxInt64 / unit); err != nil || n < low || n > most {
			return fmt.Errorf("want a whole number from %d to %d", low, most)
		}
		*of(o) = time.Duration(n) * unit
		return nil
	}
}

func count[N int | int32 | int64](low int64, of func(o *broker.Options) *N) setter {
	return func(o *broker.Options, v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < low || n > math.MaxInt32 {
			return fmt.Errorf("want a whole number from %d to %d", low, math.MaxInt32)
		}
		*of(o) = N(n)
		return nil
	}
}

func migration(o *broker.Options, v string) error {
	all := []group.Migration{group.MigrateBoth, group.MigrateUpgrade, group.MigrateDowngrade, group.MigrateNever}
	m := group.Migration(strings.ToLower(v))
	if !slices.Contains(all, m) {
		return fmt.Errorf("want one of %v", all)
	}
	o.Group.Consumer.Migration = m
	return nil
}

package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/internal/need"
)

// smallDisk mounts an ext4 file system of that size and returns its directory.
func (t *trial) smallDisk(size int64) string {
	t.Helper()
	if os.Geteuid() != 0 {
		need.Missing(t, "mounting needs root")
	}
	image, dir := filepath.Join(t.dir, "disk.img"), filepath.Join(t.dir, "disk")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{need.Program(t, "mkfs.ext4"), "-q", "-F", image}, {need.Program(t, "mount"), "-o", "loop", image, dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			need.Missing(t, fmt.Sprintf("%v: %v: %s", args, err, out))
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// TestNodeOnADiskThatRunsFull fills a small real disk and frees it, again and again: the node refuses records early, goes on
// reading, committing and deleting, and takes records again by itself. MAINSTEM_DISK_CYCLES is how often (default 1).
func TestNodeOnADiskThatRunsFull(tt *testing.T) {
	t := newTrial(tt)
	disk := t.smallDisk(64 << 20)
	addrs := t.ports(2)
	f := &filling{trial: t, disk: disk, bootstrap: addrs[0], kept: newLedger("kept")}
	f.node = func() *process {
		return t.start("mainstem", "dev", "--data", disk+"/data", "--kafka", addrs[0], "--http", addrs[1])
	}
	f.p = f.node()
	t.createTopics(addrs[0], map[string]int32{"kept": 1})
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs[0]), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0), kgo.ProducerLinger(0),
		kgo.UnknownTopicRetries(1000), kgo.MetadataMinAge(50*time.Millisecond), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	f.cl = cl
	cycles := t.count("MAINSTEM_DISK_CYCLES", 1)
	for i := range cycles {
		f.cycle(i)
	}
	f.p.mustLive()
	f.kept.check(t, addrs[0])
	f.p.stop()
	t.Logf("%d cycles, %d of %d small records acknowledged, slowest healing %s", cycles, len(f.kept.acked), len(f.kept.asked), f.slowest.Round(time.Millisecond))
}

type filling struct {
	*trial
	disk, bootstrap string
	node            func() *process
	p               *process
	cl              *kgo.Client
	kept            *ledger
	slowest         time.Duration // from free space to the first record taken
}

// small sends one small record to the topic that is checked in the end.
func (f *filling) small() error {
	ctx, cancel := context.WithTimeout(f.ctx, time.Minute)
	defer cancel()
	f.kept.next++
	v := fmt.Sprint(f.kept.next)
	f.kept.asked[v] = true
	err := f.cl.ProduceSync(ctx, &kgo.Record{Topic: "kept", Value: []byte(v)}).FirstErr()
	if err == nil {
		f.kept.acked[v] = true
	}
	return err
}

func (f *filling) cycle(i int) {
	f.Helper()
	topic := fmt.Sprintf("filler-%d", i)
	f.createTopics(f.bootstrap, map[string]int32{topic: 1})
	if err := f.small(); err != nil {
		f.Fatalf("cycle %d: %v\n%s", i, err, f.p.tail())
	}
	f.fill(topic)
	others := filepath.Join(f.disk, "others")
	if i%3 == 1 { // others take the rest
		_ = exec.Command("dd", "if=/dev/zero", "of="+others, "bs=64k").Run() // it fails when the disk is full
	}
	f.readsAndCommits(i, topic)
	if i%4 == 3 {
		f.p.kill()
	}
	if err := os.Remove(others); err != nil && !errors.Is(err, os.ErrNotExist) {
		f.Fatal(err)
	}
	if i%4 == 3 {
		f.p = f.node()
	}
	f.await("delete "+topic, 2*time.Minute, func() error {
		if err := f.p.alive(); err != nil {
			f.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(f.ctx, 20*time.Second)
		defer cancel()
		rs, err := kadm.NewClient(f.cl).DeleteTopics(ctx, topic)
		if err == nil && !errors.Is(rs[topic].Err, kerr.UnknownTopicOrPartition) {
			err = rs[topic].Err
		}
		return err
	})
	freed := time.Now()
	f.await("records to be taken again", 2*time.Minute, f.small)
	f.slowest = max(f.slowest, time.Since(freed))
	f.p.mustLive()
}

// fill produces until the node refuses.
func (f *filling) fill(topic string) {
	f.Helper()
	value := make([]byte, 900_000)
	for range 2000 {
		ctx, cancel := context.WithTimeout(f.ctx, time.Minute)
		err := f.cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr()
		cancel()
		if errors.Is(err, kerr.KafkaStorageError) {
			return
		}
		if err != nil {
			f.Fatalf("fill: %v\n%s", err, f.p.tail())
		}
	}
	f.Fatal("the disk never runs full")
}

// readsAndCommits does what has to go on.
func (f *filling) readsAndCommits(i int, topic string) {
	f.Helper()
	err := f.small()
	for tries := 0; err == nil && tries < 20; tries++ { // a checkpoint let go of parts of the journal: there was room again
		f.fill(topic)
		err = f.small()
	}
	if !errors.Is(err, kerr.KafkaStorageError) {
		f.Errorf("cycle %d: a record on a full disk: %v", i, err)
	}
	ctx, cancel := context.WithTimeout(f.ctx, time.Minute)
	defer cancel()
	n := 0
	err = readAll(ctx, f.bootstrap, topic, func(*kgo.Record) error { n++; return nil })
	if err != nil || n < 10 {
		f.Errorf("cycle %d: %d records are read from a full disk: %v", i, n, err)
	}
	var offsets kadm.Offsets
	offsets.AddOffset("kept", 0, int64(i), -1)
	if err := kadm.NewClient(f.cl).CommitAllOffsets(ctx, "g", offsets); err != nil {
		f.Errorf("cycle %d: commit on a full disk: %v\n%s", i, err, f.p.tail())
	}
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A groupDescription is a group with its members and positions, of either group protocol.
type groupDescription struct {
	Group      string           `json:"group"`
	State      string           `json:"state"`
	Protocol   string           `json:"protocol"` // the assignor
	Lag        int64            `json:"lag"`
	Members    []groupMember    `json:"members"`
	Partitions []groupPartition `json:"partitions"`
}

type groupMember struct {
	ID       string `json:"id"`
	Instance string `json:"instance,omitempty"`
	Client   string `json:"client"`
	Host     string `json:"host"`
}

// A groupPartition is one partition with a commit or a reader. Committed, End and Lag are -1 where they are not known.
type groupPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
	Member    string `json:"member,omitempty"`
	Client    string `json:"client,omitempty"`
}

// active tells whether members would overwrite what is done to the group's positions.
func (d groupDescription) active() bool {
	return len(d.Members) > 0 || d.State != "Empty" && d.State != "Dead"
}

// listGroups describes all groups.
func listGroups(ctx context.Context, adm *kadm.Client) ([]groupDescription, error) {
	listed, err := adm.ListGroups(ctx)
	if err != nil {
		return nil, failed("failed", fmt.Errorf("list groups: %w", err), "")
	}
	out := []groupDescription{}
	for _, g := range listed.Sorted() {
		d, err := loadGroup(ctx, adm, g.Group)
		if errors.Is(err, kerr.GroupIDNotFound) {
			continue // it went away meanwhile
		}
		if err != nil {
			return nil, explainGroup(g.Group, err)
		}
		out = append(out, d)
	}
	return out, setLags(ctx, adm, out)
}

// describeGroup describes one group; one that nobody knows is GROUP_ID_NOT_FOUND.
func describeGroup(ctx context.Context, adm *kadm.Client, name string) (groupDescription, error) {
	d, err := loadGroup(ctx, adm, name)
	if err != nil {
		return groupDescription{}, explainGroup(name, err)
	}
	one := []groupDescription{d}
	err = setLags(ctx, adm, one)
	return one[0], err
}

// An assigned partition has a reader.
type assigned map[string]map[int32]groupMember

func (a assigned) add(topic string, partition int32, m groupMember) {
	if a[topic] == nil {
		a[topic] = map[int32]groupMember{}
	}
	a[topic][partition] = m
}

// loadGroup asks for a group without ends and lags.
func loadGroup(ctx context.Context, adm *kadm.Client, name string) (groupDescription, error) {
	d := groupDescription{Group: name, Members: []groupMember{}, Partitions: []groupPartition{}}
	readers, err := d.members(ctx, adm)
	if err != nil {
		return d, err
	}
	offsets, err := adm.FetchOffsets(ctx, name)
	if err != nil {
		return d, err
	}
	for topic, ps := range offsets {
		for partition, o := range ps {
			if o.Err != nil {
				return d, o.Err
			}
			reader := readers[topic][partition]
			delete(readers[topic], partition)
			d.add(topic, partition, o.At, reader)
		}
	}
	for topic, ps := range readers {
		for partition, reader := range ps {
			d.add(topic, partition, -1, reader)
		}
	}
	slices.SortFunc(d.Partitions, func(a, b groupPartition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition) - int(b.Partition)
	})
	return d, nil
}

func (d *groupDescription) add(topic string, partition int32, committed int64, reader groupMember) {
	d.Partitions = append(d.Partitions, groupPartition{
		Topic: topic, Partition: partition, Committed: committed, End: -1, Lag: -1, Member: reader.ID, Client: reader.Client,
	})
}

// members fills in state and members, by the request of the protocol that the group speaks.
func (d *groupDescription) members(ctx context.Context, adm *kadm.Client) (assigned, error) {
	readers := assigned{}
	classic, err := adm.DescribeGroups(ctx, d.Group)
	g := classic[d.Group]
	if err == nil {
		err = g.Err
	}
	if errors.Is(err, kerr.GroupIDNotFound) || err == nil && g.State == "Dead" {
		return readers, d.newMembers(ctx, adm, readers)
	}
	if err != nil {
		return nil, err
	}
	d.State, d.Protocol = g.State, g.Protocol
	for _, m := range g.Members {
		member := groupMember{ID: m.MemberID, Instance: deref(m.InstanceID), Client: m.ClientID, Host: m.ClientHost}
		d.Members = append(d.Members, member)
		if a, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range a.Topics {
				for _, p := range t.Partitions {
					readers.add(t.Topic, p, member)
				}
			}
		}
	}
	return readers, nil
}

// newMembers is members for groups of KIP-848.
func (d *groupDescription) newMembers(ctx context.Context, adm *kadm.Client, readers assigned) error {
	all, err := adm.DescribeConsumerGroups(ctx, d.Group)
	g := all[d.Group]
	if err == nil {
		err = g.Err
	}
	if err != nil { // an older cluster does not know the request: then the group is just not there
		return kerr.GroupIDNotFound
	}
	d.State, d.Protocol = g.State, g.AssignorName
	for _, m := range g.Members {
		member := groupMember{ID: m.MemberID, Instance: deref(m.InstanceID), Client: m.ClientID, Host: m.ClientHost}
		d.Members = append(d.Members, member)
		for topic, ps := range m.Assignment {
			for p := range ps {
				readers.add(topic, p, member)
			}
		}
	}
	return nil
}

// setLags asks once for the ends of all topics that the groups read.
func setLags(ctx context.Context, adm *kadm.Client, groups []groupDescription) error {
	topics := map[string]bool{}
	for _, g := range groups {
		for _, p := range g.Partitions {
			topics[p.Topic] = true
		}
	}
	if len(topics) == 0 {
		return nil
	}
	names := make([]string, 0, len(topics))
	for t := range topics {
		names = append(names, t)
	}
	ends, err := adm.ListEndOffsets(ctx, names...)
	if err != nil {
		return failed("failed", fmt.Errorf("ends of %d topic(s): %w", len(names), err), "")
	}
	for i := range groups {
		g := &groups[i]
		for j := range g.Partitions {
			p := &g.Partitions[j]
			end, ok := ends.Lookup(p.Topic, p.Partition)
			if !ok || end.Err != nil {
				continue // the topic is gone
			}
			if p.End = end.Offset; p.Committed >= 0 {
				p.Lag = max(0, p.End-p.Committed)
				g.Lag += p.Lag
			}
		}
	}
	return nil
}

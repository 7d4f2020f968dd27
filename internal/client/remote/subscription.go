package remote

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What members and leader tell each other has the standard encodings of consumers, so that tools show it. Their user data is ours:
//
//	subscription   version (1 byte) = 1 | incarnation (8) | round (4) | Membership.Metadata
//	assignment     version (1 byte) = 1 | incarnation (8) of the metadata that it answers | Grant.Data
//
// The protocol's name keeps others out of the group, the incarnation tells a process that its grant is its predecessor's.
const (
	protocolType = "consumer"
	protocol     = "mainstem"

	dataVersion       = 1
	subscriptionBytes = 1 + 8 + 4
	assignmentBytes   = 1 + 8
)

var errUserData = errors.New("it was written by another version of Mainstem or another program")

// subscription encodes what this member tells the leader.
func (m *member) subscription(incarnation uint64, round uint32) ([]byte, error) {
	metadata := m.o.Metadata()
	if len(metadata) > client.MaxMetadata {
		return nil, fmt.Errorf("metadata of %d bytes, the most are %d", len(metadata), client.MaxMetadata)
	}
	data := make([]byte, 0, subscriptionBytes+len(metadata))
	data = append(data, dataVersion)
	data = binary.BigEndian.AppendUint64(data, incarnation)
	data = binary.BigEndian.AppendUint32(data, round)
	s := kmsg.NewConsumerMemberMetadata()
	s.Topics, s.UserData = slices.Sorted(slices.Values(m.o.Topics)), append(data, metadata...)
	return s.AppendTo(nil), nil
}

// assign is the leader's work: what every member is assigned.
func (m *member) assign(members []kmsg.JoinGroupResponseMember) ([]kmsg.SyncGroupRequestGroupAssignment, error) {
	metadata := make(map[string][]byte, len(members))
	incarnations := make(map[string][]byte, len(members))
	for _, jm := range members {
		var s kmsg.ConsumerMemberMetadata
		err := s.ReadFrom(jm.ProtocolMetadata)
		if err == nil && (jm.InstanceID == nil || len(s.UserData) < subscriptionBytes || s.UserData[0] != dataVersion) {
			err = errUserData
		}
		if err != nil {
			return nil, fmt.Errorf("metadata of member %s: %w", jm.MemberID, err)
		}
		incarnations[*jm.InstanceID], metadata[*jm.InstanceID] = s.UserData[1:9], s.UserData[subscriptionBytes:]
	}
	grants, err := m.o.Assign(metadata)
	if err != nil {
		return nil, fmt.Errorf("assign the work: %w", err)
	}
	all := make([]kmsg.SyncGroupRequestGroupAssignment, len(members))
	for i, jm := range members {
		all[i] = kmsg.NewSyncGroupRequestGroupAssignment()
		all[i].MemberID, all[i].MemberAssignment = jm.MemberID, encodeAssignment(grants[*jm.InstanceID], incarnations[*jm.InstanceID])
	}
	return all, nil
}

func encodeAssignment(g client.Grant, incarnation []byte) []byte {
	a := kmsg.NewConsumerMemberAssignment()
	at := map[string]int{}
	for _, tp := range g.Inputs {
		i, ok := at[tp.Topic]
		if !ok {
			t := kmsg.NewConsumerMemberAssignmentTopic()
			t.Topic = tp.Topic
			i = len(a.Topics)
			at[tp.Topic], a.Topics = i, append(a.Topics, t)
		}
		a.Topics[i].Partitions = append(a.Topics[i].Partitions, tp.Partition)
	}
	a.UserData = slices.Concat([]byte{dataVersion}, incarnation, g.Data)
	return a.AppendTo(nil)
}

// decodeAssignment returns the grant and whose metadata it answers. No bytes are the grant of nothing.
func decodeAssignment(b []byte) (client.Grant, uint64, error) {
	if len(b) == 0 {
		return client.Grant{}, 0, nil
	}
	var a kmsg.ConsumerMemberAssignment
	err := a.ReadFrom(b)
	if err == nil && (len(a.UserData) < assignmentBytes || a.UserData[0] != dataVersion) {
		err = errUserData
	}
	if err != nil {
		return client.Grant{}, 0, fmt.Errorf("assignment: %w", err)
	}
	g := client.Grant{Data: a.UserData[assignmentBytes:]}
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			g.Inputs = append(g.Inputs, record.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	return g, binary.BigEndian.Uint64(a.UserData[1:]), nil
}

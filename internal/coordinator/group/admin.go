package group

import (
	"github.com/mainstemio/mainstem/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// consumerType is the protocol type whose subscriptions the coordinator can read.
const consumerType = "consumer"

// DeleteOffsets removes single offsets (OffsetDelete, KIP-496). The whole fails with GROUP_ID_NOT_FOUND, or with NON_EMPTY_GROUP
// when the group has members of a protocol type that we cannot read; a partition of a topic that members of a consumer group
// subscribe to fails with GROUP_SUBSCRIBED_TO_TOPIC. A partition without offset is no error.
func (g *Groups) DeleteOffsets(group string, tps []record.TopicPartition) ([]*kerr.Error, *kerr.Error, Effects) {
	var fx Effects
	of := g.groups[group]
	switch {
	case of == nil:
		return nil, kerr.GroupIDNotFound, fx
	case of.state != empty && of.protocolType != consumerType:
		return nil, kerr.NonEmptyGroup, fx
	}
	subscribed := g.subscriptions(of)
	errs := make([]*kerr.Error, len(tps))
	var gone []record.TopicPartition
	for i, tp := range tps {
		if subscribed(tp.Topic) {
			errs[i] = kerr.GroupSubscribedToTopic
			continue
		}
		if _, ok := of.offsets[tp]; ok {
			delete(of.offsets, tp)
			gone = append(gone, tp)
		}
	}
	if len(gone) > 0 {
		fx.Records = append(fx.Records, appendDeletedOffsets(nil, group, gone))
	}
	g.forgetIfVacant(of)
	return errs, nil, fx
}

// Delete removes an empty group with its offsets, pending ones too: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND.
func (g *Groups) Delete(group string) (*kerr.Error, Effects) {
	of := g.groups[group]
	switch {
	case of == nil:
		return kerr.GroupIDNotFound, Effects{}
	case of.state != empty, of.modern != nil && of.modern.Len() > 0:
		return kerr.NonEmptyGroup, Effects{}
	}
	g.drop(of)
	return nil, Effects{Records: [][]byte{appendDeletedGroup(nil, group)}}
}

// List returns all groups sorted by name, without members.
func (g *Groups) List() []Description {
	all := make([]Description, 0, len(g.groups))
	for _, name := range g.names() {
		of := g.groups[name]
		if of.modern != nil {
			all = append(all, Description{Group: name, Type: ConsumerType, State: of.modern.State(), ProtocolType: consumerType})
			continue
		}
		all = append(all, Description{Group: name, Type: ClassicType, State: of.state.String(), ProtocolType: of.protocolType})
	}
	return all
}

// Describe returns one classic group; one that is unknown, or a consumer group (Type tells), is in state Dead. As in Kafka the protocol and the members' subscriptions are shown
// in state Stable only.
func (g *Groups) Describe(group string) Description {
	of := g.groups[group]
	switch {
	case of == nil:
		return Description{Group: group, State: "Dead"}
	case of.modern != nil:
		return Description{Group: group, Type: ConsumerType, State: "Dead"}
	}
	d := Description{Group: group, Type: ClassicType, State: of.state.String(), ProtocolType: of.protocolType}
	if of.state == stable {
		d.Protocol = of.protocol
	}
	for _, m := range of.order {
		dm := DescribedMember{
			ID: m.id, InstanceID: m.instance, ClientID: m.clientID, ClientHost: m.clientHost, Assignment: m.assignment,
		}
		if of.state == stable {
			dm.Metadata = m.metadata(of.protocol)
		}
		d.Members = append(d.Members, dm)
	}
	return d
}

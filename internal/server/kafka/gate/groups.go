package gate

import (
	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What is about groups and their offsets, and about the cluster's shape.

// The kinds of coordinator.
const (
	groupCoordinator = 0
	txnCoordinator   = 1
)

func findCoordinator(c *Caller, r *kmsg.FindCoordinatorRequest) Verdict {
	may := func(key string) *kerr.Error {
		switch {
		case r.CoordinatorType == groupCoordinator && !c.group(auth.Describe, key):
			return kerr.GroupAuthorizationFailed
		case r.CoordinatorType == txnCoordinator && !c.May(auth.Describe, auth.TransactionalID, key):
			return kerr.TransactionalIDAuthorizationFailed
		}
		return nil
	}
	if r.Version < 4 {
		err := may(r.CoordinatorKey)
		if err == nil {
			return Verdict{}
		}
		return answer(r, func(resp *kmsg.FindCoordinatorResponse) {
			resp.ErrorCode, resp.ErrorMessage, resp.NodeID, resp.Port = err.Code, text(err), -1, -1
		})
	}
	denied := take(&r.CoordinatorKeys, func(key *string) bool { return may(*key) == nil })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.CoordinatorKeys), func(resp *kmsg.FindCoordinatorResponse) {
		for _, key := range denied {
			err := may(key)
			rc := kmsg.NewFindCoordinatorResponseCoordinator()
			rc.Key, rc.ErrorCode, rc.ErrorMessage, rc.NodeID, rc.Port = key, err.Code, text(err), -1, -1
			resp.Coordinators = append(resp.Coordinators, rc)
		}
	})
}

func describeGroups(c *Caller, r *kmsg.DescribeGroupsRequest) Verdict {
	denied := take(&r.Groups, func(g *string) bool { return c.group(auth.Describe, *g) })
	return finish(r, len(r.Groups)+btoi(len(denied) == 0), func(resp *kmsg.DescribeGroupsResponse) {
		for i := range resp.Groups {
			if g := &resp.Groups[i]; r.IncludeAuthorizedOperations && g.ErrorCode == 0 {
				g.AuthorizedOperations = c.operations(auth.Group, g.Group)
			}
		}
		for _, name := range denied {
			g := kmsg.NewDescribeGroupsResponseGroup()
			g.Group, g.ErrorCode = name, kerr.GroupAuthorizationFailed.Code
			resp.Groups = append(resp.Groups, g)
		}
	})
}

// consumerGroupDescribe wants DESCRIBE on the group, and on every topic that its answer would name.
func consumerGroupDescribe(c *Caller, r *kmsg.ConsumerGroupDescribeRequest) Verdict {
	denied := take(&r.Groups, func(g *string) bool { return c.group(auth.Describe, *g) })
	return finish(r, len(r.Groups)+btoi(len(denied) == 0), func(resp *kmsg.ConsumerGroupDescribeResponse) {
		for i := range resp.Groups {
			g := &resp.Groups[i]
			if g.ErrorCode == 0 && !c.mayKnow(g.Members) {
				const why = "The group has described topic(s) that the client is not authorized to describe."
				message := why
				g.ErrorCode, g.ErrorMessage, g.Members = kerr.TopicAuthorizationFailed.Code, &message, nil
			}
			if r.IncludeAuthorizedOperations && g.ErrorCode == 0 {
				g.AuthorizedOperations = c.operations(auth.Group, g.Group)
			}
		}
		for _, name := range denied {
			g := kmsg.NewConsumerGroupDescribeResponseGroup()
			g.Group, g.ErrorCode = name, kerr.GroupAuthorizationFailed.Code
			resp.Groups = append(resp.Groups, g)
		}
	})
}

func (c *Caller) mayKnow(members []kmsg.ConsumerGroupDescribeResponseGroupMember) bool {
	for i := range members {
		m := &members[i]
		for _, t := range m.SubscribedTopics {
			if !c.topic(auth.Describe, t) {
				return false
			}
		}
		for _, a := range []kmsg.Assignment{m.Assignment, m.TargetAssignment} {
			for _, t := range a.TopicPartitions {
				if !c.topicBy(auth.Describe, t.Topic, t.TopicID) {
					return false
				}
			}
		}
	}
	return true
}

// consumerGroupHeartbeat wants READ on the group and DESCRIBE on what is subscribed by name and on what is assigned. Kafka leaves out
// what a pattern finds and the member may not describe; here such a member is refused, since all members share what a pattern finds.
func consumerGroupHeartbeat(c *Caller, r *kmsg.ConsumerGroupHeartbeatRequest) Verdict {
	if !c.group(auth.Read, r.Group) {
		return whole(r, kerr.GroupAuthorizationFailed)
	}
	for _, t := range r.SubscribedTopicNames {
		if !c.topic(auth.Describe, t) {
			return whole(r, kerr.TopicAuthorizationFailed)
		}
	}
	return Verdict{Finish: func(answer kmsg.Response) {
		resp := answer.(*kmsg.ConsumerGroupHeartbeatResponse)
		if resp.Assignment == nil {
			return
		}
		for _, t := range resp.Assignment.Topics {
			if !c.topicBy(auth.Describe, "", t.TopicID) {
				const why = "The group has been assigned topic(s) that the client is not authorized to describe."
				message := why
				resp.ErrorCode, resp.ErrorMessage, resp.Assignment = kerr.TopicAuthorizationFailed.Code, &message, nil
				return
			}
		}
	}}
}

// listGroups shows the groups that the caller may describe; who may describe the cluster sees all.
func listGroups(c *Caller, _ *kmsg.ListGroupsRequest) Verdict {
	if c.cluster(auth.Describe) {
		return Verdict{}
	}
	return Verdict{Finish: func(answer kmsg.Response) {
		resp := answer.(*kmsg.ListGroupsResponse)
		take(&resp.Groups, func(g *kmsg.ListGroupsResponseGroup) bool { return c.group(auth.Describe, g.Group) })
	}}
}

func deleteGroups(c *Caller, r *kmsg.DeleteGroupsRequest) Verdict {
	denied := take(&r.Groups, func(g *string) bool { return c.group(auth.Delete, *g) })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Groups), func(resp *kmsg.DeleteGroupsResponse) {
		for _, name := range denied {
			g := kmsg.NewDeleteGroupsResponseGroup()
			g.Group, g.ErrorCode, g.ErrorMessage = name, kerr.GroupAuthorizationFailed.Code, text(kerr.GroupAuthorizationFailed)
			resp.Groups = append(resp.Groups, g)
		}
	})
}

// offsetCommit wants READ on the group and on each topic.
func offsetCommit(c *Caller, r *kmsg.OffsetCommitRequest) Verdict {
	err, denied := kerr.TopicAuthorizationFailed, []kmsg.OffsetCommitRequestTopic(nil)
	if !c.group(auth.Read, r.Group) {
		err, denied, r.Topics = kerr.GroupAuthorizationFailed, r.Topics, nil
	} else if denied = take(&r.Topics, func(t *kmsg.OffsetCommitRequestTopic) bool { return c.topicBy(auth.Read, t.Topic, t.TopicID) }); len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Topics), func(resp *kmsg.OffsetCommitResponse) {
		for _, t := range denied {
			rt := kmsg.NewOffsetCommitResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rt.Partitions = append(rt.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: err.Code})
			}
			resp.Topics = append(resp.Topics, rt)
		}
	})
}

// offsetFetch wants DESCRIBE on the group and on each topic. A request for all topics gets those that may be described.
func offsetFetch(c *Caller, r *kmsg.OffsetFetchRequest) Verdict {
	if r.Version < 8 {
		return offsetFetchOne(c, r)
	}
	denied := take(&r.Groups, func(g *kmsg.OffsetFetchRequestGroup) bool { return c.group(auth.Describe, g.Group) })
	hidden := map[string][]kmsg.OffsetFetchRequestGroupTopic{}
	for i := range r.Groups {
		g := &r.Groups[i]
		if g.Topics != nil {
			gone := take(&g.Topics, func(t *kmsg.OffsetFetchRequestGroupTopic) bool { return c.topicBy(auth.Describe, t.Topic, t.TopicID) })
			if _, again := hidden[g.Group]; !again { // only the first of each name is answered
				hidden[g.Group] = gone
			}
		}
	}
	return finish(r, len(r.Groups)+btoi(len(denied) == 0), func(resp *kmsg.OffsetFetchResponse) {
		for i := range resp.Groups {
			g := &resp.Groups[i]
			take(&g.Topics, func(t *kmsg.OffsetFetchResponseGroupTopic) bool { return c.topicBy(auth.Describe, t.Topic, t.TopicID) })
			for _, t := range hidden[g.Group] {
				rt := kmsg.NewOffsetFetchResponseGroupTopic()
				rt.Topic, rt.TopicID = t.Topic, t.TopicID
				for _, p := range t.Partitions {
					rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
					rp.Partition, rp.Offset, rp.Metadata, rp.ErrorCode = p, -1, new(string), kerr.TopicAuthorizationFailed.Code
					rt.Partitions = append(rt.Partitions, rp)
				}
				g.Topics = append(g.Topics, rt)
			}
		}
		for _, g := range denied {
			rg := kmsg.NewOffsetFetchResponseGroup()
			rg.Group, rg.ErrorCode = g.Group, kerr.GroupAuthorizationFailed.Code
			resp.Groups = append(resp.Groups, rg)
		}
	})
}

// offsetFetchOne is the form of one group.
func offsetFetchOne(c *Caller, r *kmsg.OffsetFetchRequest) Verdict {
	err, denied, all := kerr.TopicAuthorizationFailed, []kmsg.OffsetFetchRequestTopic(nil), r.Topics == nil
	refused := !c.group(auth.Describe, r.Group)
	if refused {
		err, denied, r.Topics = kerr.GroupAuthorizationFailed, r.Topics, nil
	} else {
		denied = take(&r.Topics, func(t *kmsg.OffsetFetchRequestTopic) bool { return c.topic(auth.Describe, t.Topic) })
	}
	fill := func(resp *kmsg.OffsetFetchResponse) {
		if refused {
			resp.ErrorCode = err.Code
		}
		if all {
			take(&resp.Topics, func(t *kmsg.OffsetFetchResponseTopic) bool { return c.topic(auth.Describe, t.Topic) })
		}
		for _, t := range denied {
			rt := kmsg.NewOffsetFetchResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetFetchResponseTopicPartition()
				rp.Partition, rp.Offset, rp.Metadata, rp.ErrorCode = p, -1, new(string), err.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
	}
	return finish(r, len(r.Topics)+btoi(!refused && (all || len(denied) == 0)), fill)
}

func offsetDelete(c *Caller, r *kmsg.OffsetDeleteRequest) Verdict {
	if !c.group(auth.Delete, r.Group) {
		return whole(r, kerr.GroupAuthorizationFailed)
	}
	denied := take(&r.Topics, func(t *kmsg.OffsetDeleteRequestTopic) bool { return c.topic(auth.Read, t.Topic) })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Topics), func(resp *kmsg.OffsetDeleteResponse) {
		for _, t := range denied {
			rt := kmsg.NewOffsetDeleteResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rt.Partitions = append(rt.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: kerr.TopicAuthorizationFailed.Code})
			}
			resp.Topics = append(resp.Topics, rt)
		}
	})
}

func describeCluster(c *Caller, r *kmsg.DescribeClusterRequest) Verdict {
	return Verdict{Finish: func(answer kmsg.Response) {
		if resp := answer.(*kmsg.DescribeClusterResponse); r.IncludeClusterAuthorizedOperations && resp.ErrorCode == 0 {
			resp.ClusterAuthorizedOperations = c.clusterOperations()
		}
	}}
}

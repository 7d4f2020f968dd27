package gate

import (
	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What is about topics as such.

// metadata wants DESCRIBE on each topic that is named, and CREATE on it or the cluster where it would be made on the way. Whoever
// asks for all topics is shown those that may be described.
func metadata(c *Caller, r *kmsg.MetadataRequest) Verdict {
	all := r.Topics == nil || r.Version == 0 && len(r.Topics) == 0
	creates := c.AutoCreate && (r.Version < 4 || r.AllowAutoTopicCreation) && !c.cluster(auth.Create)
	denied := take(&r.Topics, func(t *kmsg.MetadataRequestTopic) bool {
		if t.Topic == nil {
			return c.topicBy(auth.Describe, "", t.TopicID)
		}
		return c.topic(auth.Describe, *t.Topic) && !(creates && !c.Topics.Exists(*t.Topic) && !c.topic(auth.Create, *t.Topic))
	})
	none := !all && len(r.Topics) == 0 // version 0 would take it for "all"
	return Verdict{Finish: func(answer kmsg.Response) {
		resp := answer.(*kmsg.MetadataResponse)
		if none {
			resp.Topics = nil
		}
		if all {
			take(&resp.Topics, func(t *kmsg.MetadataResponseTopic) bool { return t.Topic != nil && c.topic(auth.Describe, *t.Topic) })
		}
		for i := range resp.Topics {
			if t := &resp.Topics[i]; r.IncludeTopicAuthorizedOperations && t.ErrorCode == 0 && t.Topic != nil {
				t.AuthorizedOperations = c.operations(auth.Topic, *t.Topic)
			}
		}
		for _, t := range denied {
			rt := kmsg.NewMetadataResponseTopic()
			rt.Topic, rt.TopicID, rt.ErrorCode = t.Topic, t.TopicID, kerr.TopicAuthorizationFailed.Code
			resp.Topics = append(resp.Topics, rt)
		}
		if r.IncludeClusterAuthorizedOperations {
			resp.AuthorizedOperations = c.clusterOperations()
		}
	}}
}

// clusterOperations are shown to whom may describe the cluster.
func (c *Caller) clusterOperations() int32 {
	if !c.cluster(auth.Describe) {
		return 0
	}
	return c.operations(auth.Cluster, auth.ClusterName)
}

// describeTopicPartitions turns "all" into the names that the caller may know: a page's cursor names the next topic.
func describeTopicPartitions(c *Caller, r *kmsg.DescribeTopicPartitionsRequest) Verdict {
	var denied []kmsg.DescribeTopicPartitionsRequestTopic
	if len(r.Topics) > 0 {
		denied = take(&r.Topics, func(t *kmsg.DescribeTopicPartitionsRequestTopic) bool { return c.topic(auth.Describe, t.Topic) })
	} else {
		for _, name := range c.Topics.Names() {
			if c.topic(auth.Describe, name) {
				t := kmsg.NewDescribeTopicPartitionsRequestTopic()
				t.Topic = name
				r.Topics = append(r.Topics, t)
			}
		}
	}
	return finish(r, len(r.Topics), func(resp *kmsg.DescribeTopicPartitionsResponse) {
		for i := range resp.Topics {
			if t := &resp.Topics[i]; t.ErrorCode == 0 && t.Topic != nil {
				t.AuthorizedOperations = c.operations(auth.Topic, *t.Topic)
			}
		}
		for _, t := range denied {
			rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
			rt.Topic, rt.ErrorCode = &t.Topic, kerr.TopicAuthorizationFailed.Code
			resp.Topics = append(resp.Topics, rt)
		}
	})
}

// createTopics wants CREATE on the cluster or the topic; DESCRIBE_CONFIGS decides whether the answer tells what was made.
func createTopics(c *Caller, r *kmsg.CreateTopicsRequest) Verdict {
	everything := c.cluster(auth.Create)
	denied := take(&r.Topics, func(t *kmsg.CreateTopicsRequestTopic) bool { return everything || c.topic(auth.Create, t.Topic) })
	told := map[string]bool{}
	return finish(r, len(r.Topics)+btoi(len(denied) == 0), func(resp *kmsg.CreateTopicsResponse) {
		for i := range resp.Topics {
			if t := &resp.Topics[i]; t.ErrorCode == 0 && !c.topic(auth.DescribeConfigs, t.Topic) {
				t.NumPartitions, t.ReplicationFactor, t.Configs = -1, -1, nil
				t.ConfigErrorCode = kerr.TopicAuthorizationFailed.Code
			}
		}
		for _, t := range denied {
			if told[t.Topic] {
				continue
			}
			told[t.Topic] = true
			rt := kmsg.NewCreateTopicsResponseTopic()
			rt.Topic, rt.ErrorCode, rt.ErrorMessage = t.Topic, kerr.TopicAuthorizationFailed.Code, text(kerr.TopicAuthorizationFailed)
			resp.Topics = append(resp.Topics, rt)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// deleteTopics wants DELETE, which implies DESCRIBE. A name is given back as it came; an id is not turned into a name for those
// who may not describe the topic.
func deleteTopics(c *Caller, r *kmsg.DeleteTopicsRequest) Verdict {
	names := take(&r.TopicNames, func(name *string) bool { return c.topic(auth.Delete, *name) })
	topics := take(&r.Topics, func(t *kmsg.DeleteTopicsRequestTopic) bool {
		if t.Topic != nil {
			return c.topic(auth.Delete, *t.Topic)
		}
		return c.topicBy(auth.Delete, "", t.TopicID)
	})
	if len(names)+len(topics) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.TopicNames)+len(r.Topics), func(resp *kmsg.DeleteTopicsResponse) {
		add := func(name *string, id [16]byte) {
			rt := kmsg.NewDeleteTopicsResponseTopic()
			rt.Topic, rt.TopicID, rt.ErrorCode, rt.ErrorMessage = name, id, kerr.TopicAuthorizationFailed.Code, text(kerr.TopicAuthorizationFailed)
			resp.Topics = append(resp.Topics, rt)
		}
		for i := range names {
			add(&names[i], [16]byte{})
		}
		for _, t := range topics {
			if known, ok := c.Topics.Name(t.TopicID); t.Topic == nil && ok && c.topic(auth.Describe, known) {
				t.Topic = &known
			}
			add(t.Topic, t.TopicID)
		}
	})
}

func createPartitions(c *Caller, r *kmsg.CreatePartitionsRequest) Verdict {
	denied := take(&r.Topics, func(t *kmsg.CreatePartitionsRequestTopic) bool { return c.topic(auth.Alter, t.Topic) })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Topics), func(resp *kmsg.CreatePartitionsResponse) {
		for _, t := range denied {
			rt := kmsg.NewCreatePartitionsResponseTopic()
			rt.Topic, rt.ErrorCode, rt.ErrorMessage = t.Topic, kerr.TopicAuthorizationFailed.Code, text(kerr.TopicAuthorizationFailed)
			resp.Topics = append(resp.Topics, rt)
		}
	})
}

// configs wants op on whose settings these are.
func (c *Caller) configs(op auth.Operation, typ kmsg.ConfigResourceType, name string) *kerr.Error {
	switch typ {
	case kmsg.ConfigResourceTypeTopic:
		if !c.topic(op, name) {
			return kerr.TopicAuthorizationFailed
		}
		return nil
	case kmsg.ConfigResourceTypeGroupConfig:
		if !c.group(op, name) {
			return kerr.GroupAuthorizationFailed
		}
		return nil
	}
	if !c.cluster(op) {
		return kerr.ClusterAuthorizationFailed
	}
	return nil
}

func describeConfigs(c *Caller, r *kmsg.DescribeConfigsRequest) Verdict {
	may := func(q *kmsg.DescribeConfigsRequestResource) *kerr.Error {
		return c.configs(auth.DescribeConfigs, q.ResourceType, q.ResourceName)
	}
	denied := take(&r.Resources, func(q *kmsg.DescribeConfigsRequestResource) bool { return may(q) == nil })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Resources), func(resp *kmsg.DescribeConfigsResponse) {
		for i := range denied {
			out, err := kmsg.NewDescribeConfigsResponseResource(), may(&denied[i])
			out.ResourceType, out.ResourceName = denied[i].ResourceType, denied[i].ResourceName
			out.ErrorCode, out.ErrorMessage = err.Code, text(err)
			resp.Resources = append(resp.Resources, out)
		}
	})
}

func alterConfigs(c *Caller, r *kmsg.AlterConfigsRequest) Verdict {
	may := func(q *kmsg.AlterConfigsRequestResource) *kerr.Error {
		return c.configs(auth.AlterConfigs, q.ResourceType, q.ResourceName)
	}
	denied := take(&r.Resources, func(q *kmsg.AlterConfigsRequestResource) bool { return may(q) == nil })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Resources), func(resp *kmsg.AlterConfigsResponse) {
		for i := range denied {
			out, err := kmsg.NewAlterConfigsResponseResource(), may(&denied[i])
			out.ResourceType, out.ResourceName = denied[i].ResourceType, denied[i].ResourceName
			out.ErrorCode, out.ErrorMessage = err.Code, text(err)
			resp.Resources = append(resp.Resources, out)
		}
	})
}

func incrementalAlterConfigs(c *Caller, r *kmsg.IncrementalAlterConfigsRequest) Verdict {
	may := func(q *kmsg.IncrementalAlterConfigsRequestResource) *kerr.Error {
		return c.configs(auth.AlterConfigs, q.ResourceType, q.ResourceName)
	}
	denied := take(&r.Resources, func(q *kmsg.IncrementalAlterConfigsRequestResource) bool { return may(q) == nil })
	if len(denied) == 0 {
		return Verdict{}
	}
	return finish(r, len(r.Resources), func(resp *kmsg.IncrementalAlterConfigsResponse) {
		for i := range denied {
			out, err := kmsg.NewIncrementalAlterConfigsResponseResource(), may(&denied[i])
			out.ResourceType, out.ResourceName = denied[i].ResourceType, denied[i].ResourceName
			out.ErrorCode, out.ErrorMessage = err.Code, text(err)
			resp.Resources = append(resp.Resources, out)
		}
	})
}

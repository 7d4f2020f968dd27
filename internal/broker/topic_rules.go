package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// maxTopicName is Kafka's bound on a name's length.
const maxTopicName = 249

// checkTopicName tells whether name may be a topic's, by Kafka's rules.
func checkTopicName(name string) (*kerr.Error, string) {
	switch {
	case name == "":
		return kerr.InvalidTopicException, "Topic name is illegal, it can't be empty."
	case name == "." || name == "..":
		return kerr.InvalidTopicException, "Topic name cannot be \".\" or \"..\"."
	case len(name) > maxTopicName:
		return kerr.InvalidTopicException, fmt.Sprintf("Topic name is longer than %d characters.", maxTopicName)
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return kerr.InvalidTopicException, "Topic name contains a character other than ASCII alphanumerics, '.', '_' and '-'."
		}
	}
	return nil, ""
}

// checkNewName adds what depends on the topics there are.
func (st *state) checkNewName(name string) (*kerr.Error, string) {
	if err, detail := checkTopicName(name); err != nil {
		return err, detail
	}
	if st.topics[name] != nil {
		return kerr.TopicAlreadyExists, fmt.Sprintf("Topic '%s' already exists.", name)
	}
	if other, ok := st.folded[fold(name)]; ok {
		return kerr.InvalidTopicException, fmt.Sprintf("Topic '%s' collides with existing topic: %s.", name, other)
	}
	return nil, ""
}

// checkSpec returns the partition count of spec.
func (l limits) checkSpec(spec TopicSpec) (count int32, err *kerr.Error, detail string) {
	if len(spec.Assignments) > 0 {
		return l.checkAssignments(spec)
	}
	count = spec.Partitions
	if count == -1 {
		count = l.defaultPartitions
	}
	switch {
	case count < 1:
		return 0, kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value."
	case spec.Replication == 0 || spec.Replication < -1:
		return 0, kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 for the default."
	}
	return count, nil, ""
}

func (l limits) checkAssignments(spec TopicSpec) (count int32, err *kerr.Error, detail string) {
	if spec.Partitions != -1 || spec.Replication != -1 {
		return 0, kerr.InvalidRequest, "A manual partition assignment was specified, but a number of partitions or a replication factor as well."
	}
	for i := range int32(len(spec.Assignments)) {
		replicas, ok := spec.Assignments[i]
		if !ok {
			return 0, kerr.InvalidReplicaAssignment, "The manual partition assignment must number partitions from 0 on without gaps."
		}
		if len(replicas) != 1 || replicas[0] != l.nodeID {
			return 0, kerr.InvalidReplicaAssignment, fmt.Sprintf("Partition %d must be assigned to node %d alone.", i, l.nodeID)
		}
	}
	return int32(len(spec.Assignments)), nil, ""
}

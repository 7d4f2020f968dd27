// Package gate is the one place that says which right each request needs: it takes out of a request what its caller may not do
// and puts the errors into the answer.
//
// Package kafka asks it once for each decoded request, before the handler, and lets it finish the handler's answer; it asks
// auth.Rules and knows the wire's types only. Fetch alone asks again for each partition, because its session remembers more than
// the request says.
//
// Nothing here has state or takes a lock. A request whose key is not in the table is refused: there is no way around the gate.
//
// The rights are those of Kafka 4 (KafkaApis, ControllerApis): errors by item where Kafka answers by item, silence where Kafka
// leaves out what the caller may not know of.
//
// Not here: how rules are decided (auth), where ACLs are kept (broker), what a request does.
package gate

import (
	"errors"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Caller is who asks, the rules, and what there is to ask about.
type Caller struct {
	Subject auth.Subject
	Rules   auth.Rules
	Topics  Topics
	// AutoCreate says that Metadata may create topics.
	AutoCreate bool
}

// Topics is what the gate must know of the node.
type Topics interface {
	// Name finds the topic with an id.
	Name(id [16]byte) (string, bool)
	// Exists reports whether there is a topic of this name.
	Exists(name string) bool
	// Names lists all topics in any order.
	Names() []string
}

// May decides about one operation on one resource.
func (c *Caller) May(op auth.Operation, typ auth.ResourceType, name string) bool {
	return c.Rules.Allow(c.Subject, op, typ, name)
}

func (c *Caller) topic(op auth.Operation, name string) bool { return c.May(op, auth.Topic, name) }
func (c *Caller) group(op auth.Operation, name string) bool { return c.May(op, auth.Group, name) }
func (c *Caller) cluster(op auth.Operation) bool            { return c.May(op, auth.Cluster, auth.ClusterName) }

// topicBy is topic for what is named by name or by id. What an id does not find is left to the handler, which says so.
func (c *Caller) topicBy(op auth.Operation, name string, id [16]byte) bool {
	if name == "" {
		var known bool
		if name, known = c.Topics.Name(id); !known {
			return true
		}
	}
	return c.topic(op, name)
}

// operations are what the caller may do with a resource, as bits (KIP-430).
func (c *Caller) operations(typ auth.ResourceType, name string) int32 {
	bits := int32(0)
	for _, op := range typ.Operations() {
		if c.May(op, typ, name) {
			bits |= 1 << op
		}
	}
	return bits
}

// A Verdict is what becomes of a request. The zero value lets it pass as it is.
type Verdict struct {
	// Answer is the whole answer: the handler must not see the request.
	Answer kmsg.Response
	// Finish completes the handler's answer.
	Finish func(kmsg.Response)
	// Silent closes the connection instead of an answer, or behind the handler's silence: the client asked for none.
	Silent error
}

// ErrUnchecked refuses a key that the table lacks. ErrUnacknowledged is Silent's error.
var (
	ErrUnchecked      = errors.New("no rule says who may send this request")
	ErrUnacknowledged = errors.New("produce without acknowledgement is not authorized")
)

// Check looks at a decoded request and takes out of it what c may not do.
func Check(c *Caller, r kmsg.Request) (Verdict, error) {
	check, ok := checks[r.Key()]
	if !ok {
		return Verdict{}, ErrUnchecked
	}
	return check(c, r), nil
}

// Checked reports whether the table has a key.
func Checked(key int16) bool {
	_, ok := checks[key]
	return ok
}

var checks = map[int16]func(*Caller, kmsg.Request) Verdict{
	0:  by(produce),
	1:  free, // the handler asks for READ on each topic of the session
	2:  by(listOffsets),
	3:  by(metadata),
	8:  by(offsetCommit),
	9:  by(offsetFetch),
	10: by(findCoordinator),
	11: by(func(c *Caller, r *kmsg.JoinGroupRequest) Verdict { return c.inGroup(r, r.Group) }),
	12: by(func(c *Caller, r *kmsg.HeartbeatRequest) Verdict { return c.inGroup(r, r.Group) }),
	13: by(func(c *Caller, r *kmsg.LeaveGroupRequest) Verdict { return c.inGroup(r, r.Group) }),
	14: by(func(c *Caller, r *kmsg.SyncGroupRequest) Verdict { return c.inGroup(r, r.Group) }),
	15: by(describeGroups),
	16: by(listGroups),
	17: free,
	18: free,
	19: by(createTopics),
	20: by(deleteTopics),
	21: by(deleteRecords),
	22: by(initProducerID),
	23: by(offsetForLeaderEpoch),
	24: by(addPartitionsToTxn),
	25: by(addOffsetsToTxn),
	26: by(func(c *Caller, r *kmsg.EndTxnRequest) Verdict { return c.inTxn(r, r.TransactionalID) }),
	27: by(writeTxnMarkers),
	28: by(txnOffsetCommit),
	29: onCluster(auth.Describe),
	30: onCluster(auth.Alter),
	31: onCluster(auth.Alter),
	32: by(describeConfigs),
	33: by(alterConfigs),
	34: onCluster(auth.Alter),
	35: onCluster(auth.Describe),
	36: free,
	37: by(createPartitions),
	42: by(deleteGroups),
	43: onCluster(auth.Alter),
	44: by(incrementalAlterConfigs),
	45: onCluster(auth.Alter),
	46: onCluster(auth.Describe),
	47: by(offsetDelete),
	48: onCluster(auth.DescribeConfigs),
	50: onCluster(auth.Describe),
	51: onCluster(auth.Alter),
	55: onCluster(auth.Describe),
	57: onCluster(auth.Alter),
	60: by(describeCluster),
	61: by(describeProducers),
	65: by(describeTransactions),
	66: by(listTransactions),
	68: by(consumerGroupHeartbeat),
	69: by(consumerGroupDescribe),
	74: onCluster(auth.DescribeConfigs),
	75: by(describeTopicPartitions),
}

func by[Q kmsg.Request](f func(*Caller, Q) Verdict) func(*Caller, kmsg.Request) Verdict {
	return func(c *Caller, r kmsg.Request) Verdict { return f(c, r.(Q)) }
}

// free is for what everybody may ask.
func free(*Caller, kmsg.Request) Verdict { return Verdict{} }

func onCluster(op auth.Operation) func(*Caller, kmsg.Request) Verdict {
	return func(c *Caller, r kmsg.Request) Verdict {
		if c.cluster(op) {
			return Verdict{}
		}
		return whole(r, kerr.ClusterAuthorizationFailed)
	}
}

// inGroup is for members of a group.
func (c *Caller) inGroup(r kmsg.Request, group string) Verdict {
	if c.group(auth.Read, group) {
		return Verdict{}
	}
	return whole(r, kerr.GroupAuthorizationFailed)
}

// inTxn is for the producers of a transactional id.
func (c *Caller) inTxn(r kmsg.Request, id string) Verdict {
	if c.May(auth.Write, auth.TransactionalID, id) {
		return Verdict{}
	}
	return whole(r, kerr.TransactionalIDAuthorizationFailed)
}

// answer makes the whole answer to r.
func answer[R kmsg.Response](r kmsg.Request, fill func(R)) Verdict {
	resp := r.ResponseKind()
	fill(resp.(R))
	return Verdict{Answer: resp}
}

// finish adds what fill adds to the handler's answer. When the gate has left nothing for the handler to do, the answer is fill's
// alone: an empty list means "all" in some requests.
func finish[R kmsg.Response](r kmsg.Request, left int, fill func(R)) Verdict {
	if left == 0 {
		return answer(r, fill)
	}
	return Verdict{Finish: func(resp kmsg.Response) { fill(resp.(R)) }}
}

// take removes from a list what may not stay, and returns it. The list keeps its order and is not nil if it was not.
func take[T any](list *[]T, stays func(*T) bool) (gone []T) {
	kept := (*list)[:0]
	for i := range *list {
		t := (*list)[i]
		if stays(&t) {
			kept = append(kept, t)
		} else {
			gone = append(gone, t)
		}
	}
	*list = kept
	return gone
}

func text(err *kerr.Error) *string { return &err.Description }

package kafka

import (
	"context"
	"net"
	"slices"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/mainstemio/mainstem/internal/server/kafka/guard"
	"github.com/mainstemio/mainstem/internal/server/kafka/session"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	keyProduce     = 0
	keyApiVersions = 18
)

// An api is one key of the protocol. ApiVersions lists min to max; versions below served are listed only to please clients (see
// the table) and close the connection.
type api struct {
	min, served, max int16
	start            func(n *node, c call, r kmsg.Request) pending
}

// dispatch is the one table of what is served. What is not in it is not advertised.
var dispatch = map[int16]api{
	0:  {0, 3, 13, starts((*node).produce)}, // from 0: librdkafka turns compression off otherwise (KAFKA-18659)
	1:  {4, 4, 18, starts((*node).fetch)},
	2:  {1, 1, 11, reads((*node).listOffsets)},
	3:  {0, 0, 13, starts((*node).metadata)},
	8:  {2, 2, 10, starts((*node).offsetCommit)},
	9:  {1, 1, 10, starts((*node).offsetFetch)},
	10: {0, 0, 6, starts((*node).findCoordinator)},
	11: {0, 0, 9, starts((*node).joinGroup)}, // from 0: KAFKA-19444
	12: {0, 0, 4, starts((*node).heartbeat)},
	13: {0, 0, 5, starts((*node).leaveGroup)},
	14: {0, 0, 5, starts((*node).syncGroup)},
	15: {0, 0, 6, starts((*node).describeGroups)},
	16: {0, 0, 5, starts((*node).listGroups)},
	17: {0, 0, 1, reads((*node).strayHandshake)},
	18: {0, 0, 5, reads((*node).apiVersions)},
	19: {2, 2, 7, starts((*node).createTopics)},
	20: {1, 1, 6, starts((*node).deleteTopics)},
	21: {0, 0, 2, starts((*node).deleteRecords)},
	22: {0, 0, 5, starts((*node).initProducerID)},
	23: {2, 2, 4, reads((*node).offsetForLeaderEpoch)},
	24: {0, 0, 5, starts((*node).addPartitionsToTxn)},
	25: {0, 0, 4, starts((*node).addOffsetsToTxn)},
	26: {0, 0, 5, starts((*node).endTxn)},
	27: {1, 1, 2, starts((*node).writeTxnMarkers)},
	28: {0, 0, 6, starts((*node).txnOffsetCommit)},
	29: {1, 1, 3, reads((*node).describeACLs)},
	30: {1, 1, 3, starts((*node).createACLs)},
	31: {1, 1, 3, starts((*node).deleteACLs)},
	32: {1, 1, 4, starts((*node).describeConfigs)},
	33: {0, 0, 2, starts((*node).alterConfigs)},
	34: {1, 1, 2, reads((*node).alterReplicaLogDirs)},
	35: {1, 1, 5, reads((*node).describeLogDirs)},
	36: {0, 0, 2, reads((*node).strayAuthenticate)},
	37: {0, 0, 3, starts((*node).createPartitions)},
	42: {0, 0, 3, starts((*node).deleteGroups)},
	43: {0, 0, 2, reads((*node).electLeaders)},
	44: {0, 0, 1, starts((*node).incrementalAlterConfigs)},
	45: {0, 0, 1, reads((*node).alterPartitionReassignments)},
	46: {0, 0, 0, reads((*node).listPartitionReassignments)},
	47: {0, 0, 0, starts((*node).offsetDelete)},
	48: {0, 0, 1, reads((*node).describeClientQuotas)},
	50: {0, 0, 0, reads((*node).describeUserSCRAMCredentials)},
	51: {0, 0, 0, starts((*node).alterUserSCRAMCredentials)},
	55: {0, 0, 2, reads((*node).describeQuorum)},
	57: {0, 0, 2, reads((*node).updateFeatures)},
	60: {0, 0, 2, reads((*node).describeCluster)},
	61: {0, 0, 0, reads((*node).describeProducers)},
	65: {0, 0, 0, reads((*node).describeTransactions)},
	66: {0, 0, 2, reads((*node).listTransactions)},
	68: {0, 0, 1, starts((*node).consumerGroupHeartbeat)},
	69: {0, 0, 1, starts((*node).consumerGroupDescribe)},
	74: {0, 0, 1, starts((*node).listConfigResources)},
	75: {0, 0, 0, reads((*node).describeTopicPartitions)},
}

// listing is dispatch in the order of keys, as ApiVersions shows it.
func listing() []kmsg.ApiVersionsResponseApiKey {
	var out []kmsg.ApiVersionsResponseApiKey
	for key, a := range dispatch {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = key, a.min, a.max
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b kmsg.ApiVersionsResponseApiKey) int { return int(a.ApiKey) - int(b.ApiKey) })
	return out
}

// starts makes an api of a handler that asks the broker for something in the order of the requests.
func starts[R kmsg.Request](f func(*node, call, R) pending) func(*node, call, kmsg.Request) pending {
	return func(n *node, c call, r kmsg.Request) pending { return f(n, c, r.(R)) }
}

// reads makes an api of a handler that only looks: it runs in its turn, behind everything the connection asked for before.
func reads[R kmsg.Request](f func(*node, call, R) kmsg.Response) func(*node, call, kmsg.Request) pending {
	return func(n *node, c call, r kmsg.Request) pending {
		return func(context.Context) (answer, error) { return f(n, c, r.(R)), nil }
	}
}

// A call is what a handler knows of a request besides its body.
type call struct{ header }

// A node is the broker as one connection sees it. It is immutable but for principal; its methods are the handlers, one file for each group of keys.
type node struct {
	broker     *broker.Broker
	o          *Options
	budget     *guard.Budget
	frames     *frames
	sessions   *session.Cache
	listing    []kmsg.ApiVersionsResponseApiKey
	host       string // where this client finds the node
	port       int32
	clientHost string // as groups show it: /1.2.3.4
	principal  string // who the client is; the reader sets it before it starts any handler
	access     *access
}

func (s *Server) newNode(nc net.Conn) *node {
	n := &node{broker: s.o.Broker, o: &s.o, budget: s.budget, frames: &s.frames, sessions: s.sessions, access: s.access, listing: s.listing}
	n.host, n.port = s.o.Advertise(nc.LocalAddr())
	host, _, err := net.SplitHostPort(nc.RemoteAddr().String())
	if err != nil {
		host = nc.RemoteAddr().String()
	}
	n.clientHost = "/" + host
	return n
}

func code(err *kerr.Error) int16 {
	if err == nil {
		return 0
	}
	return err.Code
}

// message is the text that goes with an error: the broker's detail, or Kafka's sentence.
func message(err *kerr.Error, detail string) *string {
	switch {
	case err == nil:
		return nil
	case detail != "":
		return &detail
	}
	return &err.Description
}

// distinct drops repetitions. A request may name one large thing as often as it has room for names; it is shown once.
func distinct[T any, K comparable](in []T, key func(T) K) []T {
	seen := make(map[K]struct{}, len(in))
	out := in[:0]
	for _, v := range in {
		k := key(v)
		if _, again := seen[k]; !again {
			seen[k] = struct{}{}
			out = append(out, v)
		}
	}
	return out
}

func itself[K comparable](k K) K { return k }

func ptr[T any](v T) *T { return &v }

// orEmpty is for nullable strings in which null and empty mean the same.
func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// orNull is its opposite.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

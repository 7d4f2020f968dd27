package assign

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mainstemio/mainstem/internal/topology"
)

// What workers and their leader tell each other in a round of the group, as JSON. A worker says what it owns and what it has stored; the
// leader says what it runs from now on.
//
//	{"version":1,"owned":["0_1"],"stored":{"1_0":4711}}
//	{"version":1,"tasks":["0_1","1_0"]}

// ErrVersion: another worker of the application runs a release that does not understand this one.
var ErrVersion = errors.New("workers of different releases")

// ErrUnknownTask: a task was assigned that the topology does not have.
var ErrUnknownTask = errors.New("a task was assigned that the topology does not have")

const messageVersion = 1

// Stored are numbers of how new the state is; see Member.
type claim struct {
	Version int              `json:"version"`
	Owned   []string         `json:"owned"`
	Stored  map[string]int64 `json:"stored,omitempty"`
}

type order struct {
	Version int      `json:"version"`
	Tasks   []string `json:"tasks"`
}

// Claim writes what a worker tells the leader; the member's ID is left out.
func Claim(m Member) []byte {
	c := claim{Version: messageVersion, Owned: names(m.Owned), Stored: map[string]int64{}}
	for id, next := range m.Stored {
		c.Stored[id.String()] = next
	}
	return encode(c)
}

// ParseClaim reads what a worker tells. Tasks that do not exist are left out.
func ParseClaim(id string, b []byte, tasks []Task) (Member, error) {
	var c claim
	if err := parse(b, &c, &c.Version); err != nil {
		return Member{}, fmt.Errorf("worker %s: %w", id, err)
	}
	m := Member{ID: id, Stored: map[topology.TaskID]int64{}}
	for _, t := range tasks {
		name := t.ID.String()
		if slices.Contains(c.Owned, name) {
			m.Owned = append(m.Owned, t.ID)
		}
		if next, stored := c.Stored[name]; stored {
			m.Stored[t.ID] = next
		}
	}
	return m, nil
}

// Order writes what the leader tells a worker.
func Order(ids []topology.TaskID) []byte {
	return encode(order{Version: messageVersion, Tasks: names(ids)})
}

// ParseOrder reads what the leader tells: the tasks that exist. If there are others the error is ErrUnknownTask.
func ParseOrder(b []byte, tasks []Task) (ids []topology.TaskID, err error) {
	if len(b) == 0 {
		return nil, nil // the leader has not heard of this worker yet
	}
	var o order
	if err := parse(b, &o, &o.Version); err != nil {
		return nil, fmt.Errorf("the leader of the workers: %w", err)
	}
	known := make(map[string]topology.TaskID, len(tasks))
	for _, t := range tasks {
		known[t.ID.String()] = t.ID
	}
	for _, name := range o.Tasks {
		id, ok := known[name]
		if !ok {
			err = fmt.Errorf("%w: %s: a source has got partitions just now, or another worker runs another topology", ErrUnknownTask, name)
			continue
		}
		ids = append(ids, id)
	}
	return ids, err
}

func parse(b []byte, message any, version *int) error {
	if err := json.Unmarshal(b, message); err != nil || *version != messageVersion {
		return fmt.Errorf("%w: it speaks version %d, this program knows %d: run the same release everywhere", ErrVersion, *version, messageVersion)
	}
	return nil
}

func encode(message any) []byte {
	b, err := json.Marshal(message)
	if err != nil {
		panic(err) // texts and numbers
	}
	return b
}

func names(ids []topology.TaskID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	return out
}

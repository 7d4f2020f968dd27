package ksql

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/mainstemio/mainstem/internal/sql/session"
)

// maxCommands is how many commands are remembered.
const maxCommands = 1000

// A command is what became of a statement.
type command struct {
	Status  string  `json:"status"`
	Message string  `json:"message"`
	Query   *string `json:"queryId"`
}

// commands are the last that were executed. A statement is answered when it took effect, so all of them succeeded.
type commands struct {
	mu struct {
		sync.Mutex
		done  map[string]command
		order []string // the oldest first
	}
}

// commandID names what a statement did: stream/`S`/create; terminate/CSAS_S_1/execute.
func commandID(c session.Command) string {
	switch c.Kind {
	case "terminate", "pause", "resume":
		return c.Kind + "/" + c.Name + "/" + c.Action
	}
	return c.Kind + "/`" + c.Name + "`/" + c.Action
}

func (c *commands) add(results []Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, done := range results {
		if done.Command.Kind == "" {
			continue
		}
		id := commandID(done.Command)
		if _, again := c.mu.done[id]; again {
			c.mu.order = slices.DeleteFunc(c.mu.order, func(o string) bool { return o == id })
		}
		c.mu.done[id] = command{Status: "SUCCESS", Message: done.Message, Query: idOrNull(done.Query)}
		c.mu.order = append(c.mu.order, id)
		if len(c.mu.order) > maxCommands {
			delete(c.mu.done, c.mu.order[0])
			c.mu.order = c.mu.order[1:]
		}
	}
}

func idOrNull(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}

// statuses serves /status.
func (h *handlers) statuses(w http.ResponseWriter, _ *http.Request) {
	h.commands.mu.Lock()
	all := map[string]string{}
	for id, c := range h.commands.mu.done {
		all[id] = c.Status
	}
	h.commands.mu.Unlock()
	answer(w, map[string]any{"commandStatuses": all})
}

// status serves /status/TYPE/NAME/ACTION.
func (h *handlers) status(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(r.PathValue("entity"), "`") // clients leave the quotes out
	id := commandID(session.Command{Kind: r.PathValue("type"), Name: name, Action: r.PathValue("action")})
	h.commands.mu.Lock()
	c, ok := h.commands.mu.done[id]
	h.commands.mu.Unlock()
	if !ok {
		(&failure{status: http.StatusNotFound, message: "Command not found: " + id}).send(w)
		return
	}
	answer(w, c)
}

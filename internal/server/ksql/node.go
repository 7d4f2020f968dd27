package ksql

import (
	"cmp"
	"net/http"
	"strings"
)

// An Info names the node: its version, the cluster that it works on, and its service, empty for the one without a name.
type Info struct{ Version, Cluster, Service string }

// defaultService is what clients are told of a service without a name.
const defaultService = "mainstem_"

func (i Info) service() string { return cmp.Or(i.Service, defaultService) }

// redirect sends programs that ask for the root to /info.
func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/info", http.StatusTemporaryRedirect)
}

func (h *handlers) info(w http.ResponseWriter, _ *http.Request) {
	info := h.server.Info()
	answer(w, map[string]any{"KsqlServerInfo": map[string]string{
		"version": info.Version, "kafkaClusterId": info.Cluster, "ksqlServiceId": info.service(), "serverStatus": "RUNNING",
	}})
}

func healthcheck(w http.ResponseWriter, _ *http.Request) {
	healthy := map[string]bool{"isHealthy": true}
	answer(w, map[string]any{
		"isHealthy": true, "serverState": "READY", "details": map[string]any{"kafka": healthy, "metastore": healthy, "commandRunner": healthy},
	})
}

// alive serves /chc/live and /chc/ready: whoever answers is.
func alive(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]any{}) }

// clusterStatus tells of the one node that there is.
func (h *handlers) clusterStatus(w http.ResponseWriter, r *http.Request) {
	answer(w, map[string]any{"clusterStatus": map[string]any{r.Host: map[string]any{
		"hostAlive": true, "lastStatusUpdateMs": h.clock.Now().UnixMilli(), "activeStandbyPerQuery": map[string]any{},
		"hostStoreLags": map[string]any{"stateStoreLags": map[string]any{}, "updateTimeMs": 0},
	}}})
}

func (h *handlers) metadata(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"version": h.server.Info().Version, "clusterId": h.cluster()})
}

func (h *handlers) clusterID(w http.ResponseWriter, _ *http.Request) { answer(w, h.cluster()) }

// cluster is the node's place in the form of Confluent's names for resources.
func (h *handlers) cluster() map[string]any {
	info := h.server.Info()
	return map[string]any{"id": "", "scope": map[string]any{
		"path": []any{}, "clusters": map[string]string{"kafka-cluster": info.Cluster, "ksql-cluster": info.service()},
	}}
}

// known are the settings besides ksql's own.
var known = map[string]bool{"auto.offset.reset": true, "processing.guarantee": true, "cache.max.bytes.buffering": true, "commit.interval.ms": true}

func validProperty(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if !strings.HasPrefix(name, "ksql.") && !known[name] {
		f := &failure{status: http.StatusBadRequest, message: "Not recognizable as ksql, streams, consumer, or producer property: '" + name + "'"}
		f.send(w)
		return
	}
	answer(w, true)
}

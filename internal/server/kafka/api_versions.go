package kafka

import (
	"context"
	"regexp"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions (18), versions 0-5: KIP-35, KIP-511 (client software), KIP-584 (features), KIP-1242 (the node the client expects).

// A feature level that the node has and uses. Producers of transactions look for transaction.version 2 (KIP-890) together with
// Produce 12; consumers of the new protocol look for group.version 1 (KIP-848).
type feature struct {
	name     string
	min, max int16
}

var features = []feature{{"group.version", 0, 1}, {"transaction.version", 0, 2}}

var softwareName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func (n *node) apiVersions(_ call, r *kmsg.ApiVersionsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.ApiVersionsResponse)
	if err := n.checkClient(r); err != nil {
		resp.ErrorCode = err.Code
		return resp
	}
	resp.ApiKeys = n.listing
	resp.FinalizedFeaturesEpoch = 0
	for _, f := range features {
		if f.min > 0 || r.Version >= 4 { // older clients fail on a minimum of 0 (KAFKA-17011)
			s := kmsg.NewApiVersionsResponseSupportedFeature()
			s.Name, s.MinVersion, s.MaxVersion = f.name, f.min, f.max
			resp.SupportedFeatures = append(resp.SupportedFeatures, s)
		}
		final := kmsg.NewApiVersionsResponseFinalizedFeature()
		final.Name, final.MinVersionLevel, final.MaxVersionLevel = f.name, f.max, f.max
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, final)
	}
	return resp
}

func (n *node) checkClient(r *kmsg.ApiVersionsRequest) *kerr.Error {
	if r.Version < 3 {
		return nil
	}
	if !softwareName.MatchString(r.ClientSoftwareName) || !softwareName.MatchString(r.ClientSoftwareVersion) {
		return kerr.InvalidRequest
	}
	switch {
	case r.Version < 5, r.ClusterID == nil && r.NodeID == -1:
		return nil
	case r.ClusterID == nil || r.NodeID == -1:
		return kerr.InvalidRequest
	case *r.ClusterID != n.broker.ClusterID() || r.NodeID != n.broker.NodeID():
		return kerr.RebootstrapRequired
	}
	return nil
}

// unsupportedApiVersions answers a version that is not served: in version 0, which every client reads, with the range of this key
// only, so that the client can try again (KIP-511).
func (n *node) unsupportedApiVersions(context.Context) (answer, error) {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	for _, k := range n.listing {
		if k.ApiKey == keyApiVersions {
			resp.ApiKeys = append(resp.ApiKeys, k)
		}
	}
	return resp, nil
}

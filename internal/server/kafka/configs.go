package kafka

import (
	"context"
	"slices"
	"strconv"

	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs (32), versions 1-4: synonyms (KIP-226), types and texts from 3 (KIP-569). AlterConfigs (33), versions 0-2: KIP-133,
// replaces all. IncrementalAlterConfigs (44), versions 0-1: KIP-339. ListConfigResources (74), versions 0-1: KIP-1142.

func (n *node) describeConfigs(_ call, r *kmsg.DescribeConfigsRequest) pending {
	var names []string
	for _, res := range r.Resources {
		if res.ResourceType == kmsg.ConfigResourceTypeGroupConfig && res.ResourceName != "" {
			names = append(names, res.ResourceName)
		}
	}
	if names == nil {
		return func(context.Context) (answer, error) { return n.describedConfigs(r, nil), nil }
	}
	groups := n.broker.GroupConfigs(names)
	return func(ctx context.Context) (answer, error) {
		of, err := groups.Wait(ctx)
		if err != nil {
			return nil, err
		}
		return n.describedConfigs(r, of), nil
	}
}

func (n *node) describedConfigs(r *kmsg.DescribeConfigsRequest, groups map[string][]broker.Config) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeConfigsResponse)
	full := map[resourceID]bool{} // shown with all their settings: once is enough
	for _, res := range r.Resources {
		id := resourceID{res.ResourceType, res.ResourceName}
		if len(res.ConfigNames) == 0 && full[id] {
			continue
		}
		full[id] = full[id] || len(res.ConfigNames) == 0
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = res.ResourceType, res.ResourceName
		configs, err := n.configsOf(id, groups)
		if out.ErrorCode, out.ErrorMessage = code(err), message(err, ""); err == nil {
			for _, c := range configs {
				if len(res.ConfigNames) == 0 || slices.Contains(res.ConfigNames, c.Name) {
					out.Configs = append(out.Configs, describedConfig(r, c))
				}
			}
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

type resourceID struct {
	typ  kmsg.ConfigResourceType
	name string
}

func (n *node) configsOf(id resourceID, groups map[string][]broker.Config) ([]broker.Config, *kerr.Error) {
	switch id.typ {
	case kmsg.ConfigResourceTypeTopic:
		if !validTopicName(id.name) {
			return nil, kerr.InvalidTopicException
		}
		return n.broker.TopicConfigs(id.name)
	case kmsg.ConfigResourceTypeGroupConfig:
		if id.name != "" {
			return groups[id.name], nil
		}
	case kmsg.ConfigResourceTypeBroker:
		switch id.name {
		case "":
			return n.broker.NodesConfigs(), nil
		case strconv.Itoa(int(n.broker.NodeID())):
			return n.broker.BrokerConfigs(), nil
		}
	}
	return nil, kerr.InvalidRequest
}

func describedConfig(r *kmsg.DescribeConfigsRequest, c broker.Config) kmsg.DescribeConfigsResponseResourceConfig {
	out := kmsg.NewDescribeConfigsResponseResourceConfig()
	out.Name, out.Value, out.ReadOnly, out.IsSensitive = c.Name, configValue(c), c.ReadOnly, c.Sensitive
	out.Source = configSource(c)
	out.ConfigType = configTypes[c.Type]
	if r.IncludeDocumentation {
		out.Documentation = orNull(c.Doc)
	}
	if r.IncludeSynonyms {
		synonym := func(value *string, source kmsg.ConfigSource) {
			s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			s.Name, s.Value, s.Source = c.Name, value, source
			if own := source == kmsg.ConfigSourceDynamicTopicConfig || source == kmsg.ConfigSourceGroupConfig; !own && c.Follows != "" {
				s.Name = c.Follows
			}
			out.ConfigSynonyms = append(out.ConfigSynonyms, s)
		}
		if out.Source != kmsg.ConfigSourceDefaultConfig {
			synonym(out.Value, out.Source)
		}
		if !c.Sensitive {
			synonym(&c.Default, kmsg.ConfigSourceDefaultConfig)
		}
	}
	return out
}

// configValue hides what is sensitive.
func configValue(c broker.Config) *string {
	if c.Sensitive {
		return nil
	}
	return &c.Value
}

func configSource(c broker.Config) kmsg.ConfigSource {
	switch c.Source {
	case "topic":
		return kmsg.ConfigSourceDynamicTopicConfig
	case "group":
		return kmsg.ConfigSourceGroupConfig
	case "broker":
		return kmsg.ConfigSourceStaticBrokerConfig
	case "node":
		return kmsg.ConfigSourceDynamicBrokerConfig
	case "nodes":
		return kmsg.ConfigSourceDynamicDefaultBrokerConfig
	}
	return kmsg.ConfigSourceDefaultConfig
}

var configTypes = map[string]kmsg.ConfigType{
	"boolean": kmsg.ConfigTypeBoolean, "int": kmsg.ConfigTypeInt, "long": kmsg.ConfigTypeLong,
	"string": kmsg.ConfigTypeString, "list": kmsg.ConfigTypeList, "double": kmsg.ConfigTypeDouble,
}

// A configWish is the changes that a client wants for one resource.
type configWish struct {
	typ     kmsg.ConfigResourceType
	name    string
	changes []broker.ConfigChange
	named   map[string]bool
	err     *kerr.Error // of the changes
	detail  string
}

func (n *node) alterConfigs(_ call, r *kmsg.AlterConfigsRequest) pending {
	var wishes []configWish
	for _, res := range r.Resources {
		w := configWish{typ: res.ResourceType, name: res.ResourceName, named: map[string]bool{}}
		for _, c := range res.Configs {
			w.add("set", c.Name, c.Value)
		}
		wishes = append(wishes, w)
	}
	wait := n.alter(wishes, true, r.ValidateOnly)
	return func(ctx context.Context) (answer, error) {
		results, err := wait(ctx)
		if err != nil {
			return nil, err
		}
		resp := r.ResponseKind().(*kmsg.AlterConfigsResponse)
		for i, w := range wishes {
			out := kmsg.NewAlterConfigsResponseResource()
			out.ResourceType, out.ResourceName = w.typ, w.name
			out.ErrorCode, out.ErrorMessage = code(results[i].Err), message(results[i].Err, results[i].Detail)
			resp.Resources = append(resp.Resources, out)
		}
		return resp, nil
	}
}

var alterOps = map[kmsg.IncrementalAlterConfigOp]string{
	kmsg.IncrementalAlterConfigOpSet: "set", kmsg.IncrementalAlterConfigOpDelete: "delete",
	kmsg.IncrementalAlterConfigOpAppend: "append", kmsg.IncrementalAlterConfigOpSubtract: "subtract",
}

func (n *node) incrementalAlterConfigs(_ call, r *kmsg.IncrementalAlterConfigsRequest) pending {
	var wishes []configWish
	for _, res := range r.Resources {
		w := configWish{typ: res.ResourceType, name: res.ResourceName, named: map[string]bool{}}
		for _, c := range res.Configs {
			w.add(alterOps[c.Op], c.Name, c.Value)
		}
		wishes = append(wishes, w)
	}
	wait := n.alter(wishes, false, r.ValidateOnly)
	return func(ctx context.Context) (answer, error) {
		results, err := wait(ctx)
		if err != nil {
			return nil, err
		}
		resp := r.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
		for i, w := range wishes {
			out := kmsg.NewIncrementalAlterConfigsResponseResource()
			out.ResourceType, out.ResourceName = w.typ, w.name
			out.ErrorCode, out.ErrorMessage = code(results[i].Err), message(results[i].Err, results[i].Detail)
			resp.Resources = append(resp.Resources, out)
		}
		return resp, nil
	}
}

// add notes a change; what is no change at all spoils the wish.
func (w *configWish) add(op, name string, value *string) {
	switch {
	case w.err != nil:
		return
	case w.named[name]:
		w.err, w.detail = kerr.InvalidRequest, "Setting "+name+" is named twice."
	case op == "":
		w.err, w.detail = kerr.InvalidRequest, "Unknown operation on setting "+name+"."
	case value == nil && op != "delete":
		w.err, w.detail = kerr.InvalidConfig, "Setting "+name+" has no value."
	}
	w.named[name] = true
	w.changes = append(w.changes, broker.ConfigChange{Name: name, Op: op, Value: orEmpty(value)})
}

// alter asks the broker for the wishes that make sense; the result has one entry for each wish.
func (n *node) alter(wishes []configWish, replace, validateOnly bool) func(context.Context) ([]broker.TopicResult, error) {
	out := make([]broker.TopicResult, len(wishes))
	fs := make([]*broker.Future[broker.TopicResult], len(wishes))
	seen := map[resourceID]bool{}
	for i, w := range wishes {
		id := resourceID{w.typ, w.name}
		switch {
		case w.err != nil:
			out[i] = broker.TopicResult{Err: w.err, Detail: w.detail}
		case seen[id]:
			out[i] = broker.TopicResult{Err: kerr.InvalidRequest, Detail: "Each resource must appear at most once."}
		case w.typ == kmsg.ConfigResourceTypeTopic:
			fs[i] = n.broker.AlterTopicConfigs(w.name, w.changes, replace, validateOnly)
		case w.typ == kmsg.ConfigResourceTypeBroker && (w.name == "" || w.name == strconv.Itoa(int(n.broker.NodeID()))):
			fs[i] = n.broker.AlterNodeConfigs(w.name == "", w.changes, replace, validateOnly)
		case w.typ == kmsg.ConfigResourceTypeBroker:
			out[i] = broker.TopicResult{Err: kerr.InvalidRequest, Detail: "Unexpected broker id: " + w.name + "."}
		case w.typ == kmsg.ConfigResourceTypeGroupConfig && w.name != "":
			fs[i] = n.broker.AlterGroupConfigs(w.name, w.changes, replace, validateOnly)
		case w.typ == kmsg.ConfigResourceTypeGroupConfig:
			out[i] = broker.TopicResult{Err: kerr.InvalidRequest, Detail: "Default group resources are not allowed."}
		default:
			out[i] = broker.TopicResult{Err: kerr.InvalidRequest, Detail: "Resources of this type have no settings."}
		}
		seen[id] = true
	}
	return func(ctx context.Context) ([]broker.TopicResult, error) {
		for i, f := range fs {
			if f == nil {
				continue
			}
			var err error
			if out[i], err = f.Wait(ctx); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

func (n *node) listConfigResources(_ call, r *kmsg.ListConfigResourcesRequest) pending {
	groups := n.broker.ConfiguredGroups()
	return func(ctx context.Context) (answer, error) {
		names, err := groups.Wait(ctx)
		if err != nil {
			return nil, err
		}
		return n.configResources(r, names), nil
	}
}

func (n *node) configResources(r *kmsg.ListConfigResourcesRequest, groups []string) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	if r.Version == 0 { // lists client metrics, of which there are none
		return resp
	}
	add := func(typ kmsg.ConfigResourceType, name string) {
		if len(r.ResourceTypes) == 0 || slices.Contains(r.ResourceTypes, int8(typ)) {
			c := kmsg.NewListConfigResourcesResponseConfigResource()
			c.Name, c.Type = name, int8(typ)
			resp.ConfigResources = append(resp.ConfigResources, c)
		}
	}
	for _, t := range sortedTopics(n.broker.Topics()) {
		add(kmsg.ConfigResourceTypeTopic, t.Name)
	}
	add(kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(n.broker.NodeID())))
	for _, name := range groups {
		add(kmsg.ConfigResourceTypeGroupConfig, name)
	}
	return resp
}

// describeClientQuotas (48), versions 0-1: there are none, but tools ask for a user's quotas beside the rest of the user's settings.
// AlterClientQuotas (49) is not served, so nobody takes a quota for granted.
func (n *node) describeClientQuotas(_ call, r *kmsg.DescribeClientQuotasRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	return resp
}

package kafka

import (
	"cmp"
	"context"
	"slices"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/broker"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeAcls (29), CreateAcls (30), DeleteAcls (31), versions 1-3: KIP-140, prefixed patterns (KIP-290).
// DescribeUserScramCredentials (50) and AlterUserScramCredentials (51), version 0: KIP-554.

// noAuthorizer is Kafka's sentence for ACLs that nobody enforces.
const noAuthorizer = "No Authorizer is configured."

func (n *node) describeACLs(_ call, r *kmsg.DescribeACLsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeACLsResponse)
	f := auth.Filter{
		Resource: auth.ResourceType(r.ResourceType), Pattern: auth.PatternType(r.ResourcePatternType), Name: r.ResourceName,
		Principal: r.Principal, Host: r.Host, Operation: auth.Operation(r.Operation), Permission: auth.Permission(r.PermissionType),
	}
	if !n.o.Security.Authorize {
		resp.ErrorCode, resp.ErrorMessage = kerr.SecurityDisabled.Code, ptr(noAuthorizer)
		return resp
	}
	if wrong := f.Check(); wrong != "" {
		resp.ErrorCode, resp.ErrorMessage = kerr.InvalidRequest.Code, &wrong
		return resp
	}
	for _, a := range n.broker.Security().ACLs.All() { // sorted: those of one resource stand together
		if !f.Matches(a) {
			continue
		}
		last := len(resp.Resources) - 1
		if last < 0 || resp.Resources[last].ResourceName != a.Name || resp.Resources[last].ResourceType != kmsg.ACLResourceType(a.Resource) ||
			resp.Resources[last].ResourcePatternType != kmsg.ACLResourcePatternType(a.Pattern) {
			res := kmsg.NewDescribeACLsResponseResource()
			res.ResourceType, res.ResourceName, res.ResourcePatternType = kmsg.ACLResourceType(a.Resource), a.Name, kmsg.ACLResourcePatternType(a.Pattern)
			resp.Resources = append(resp.Resources, res)
			last++
		}
		out := kmsg.NewDescribeACLsResponseResourceACL()
		out.Principal, out.Host = a.Principal, a.Host
		out.Operation, out.PermissionType = kmsg.ACLOperation(a.Operation), kmsg.ACLPermissionType(a.Permission)
		resp.Resources[last].ACLs = append(resp.Resources[last].ACLs, out)
	}
	return resp
}

func (n *node) createACLs(_ call, r *kmsg.CreateACLsRequest) pending {
	resp := r.ResponseKind().(*kmsg.CreateACLsResponse)
	resp.Results = make([]kmsg.CreateACLsResponseResult, len(r.Creations))
	var acls []auth.ACL
	var slots []int
	for i, c := range r.Creations {
		a := auth.ACL{
			Resource: auth.ResourceType(c.ResourceType), Pattern: auth.PatternType(c.ResourcePatternType), Name: c.ResourceName,
			Principal: c.Principal, Host: c.Host, Operation: auth.Operation(c.Operation), Permission: auth.Permission(c.PermissionType),
		}
		wrong, err := a.Check(), kerr.InvalidRequest
		if !n.o.Security.Authorize {
			wrong, err = noAuthorizer, kerr.SecurityDisabled
		}
		if wrong != "" {
			resp.Results[i] = kmsg.CreateACLsResponseResult{ErrorCode: err.Code, ErrorMessage: &wrong}
			continue
		}
		acls, slots = append(acls, a), append(slots, i)
	}
	if len(acls) == 0 {
		return answered(resp)
	}
	f := n.broker.CreateACLs(acls)
	return func(ctx context.Context) (answer, error) {
		res, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		for _, i := range slots {
			resp.Results[i] = kmsg.CreateACLsResponseResult{ErrorCode: code(res), ErrorMessage: message(res, "")}
		}
		return resp, nil
	}
}

func (n *node) deleteACLs(_ call, r *kmsg.DeleteACLsRequest) pending {
	resp := r.ResponseKind().(*kmsg.DeleteACLsResponse)
	resp.Results = make([]kmsg.DeleteACLsResponseResult, len(r.Filters))
	var filters []auth.Filter
	var slots []int
	for i, q := range r.Filters {
		f := auth.Filter{
			Resource: auth.ResourceType(q.ResourceType), Pattern: auth.PatternType(q.ResourcePatternType), Name: q.ResourceName,
			Principal: q.Principal, Host: q.Host, Operation: auth.Operation(q.Operation), Permission: auth.Permission(q.PermissionType),
		}
		wrong, err := f.Check(), kerr.InvalidRequest
		if !n.o.Security.Authorize {
			wrong, err = noAuthorizer, kerr.SecurityDisabled
		}
		if wrong != "" {
			resp.Results[i] = kmsg.DeleteACLsResponseResult{ErrorCode: err.Code, ErrorMessage: &wrong}
			continue
		}
		filters, slots = append(filters, f), append(slots, i)
	}
	if len(filters) == 0 {
		return answered(resp)
	}
	f := n.broker.DeleteACLs(filters)
	return func(ctx context.Context) (answer, error) {
		results, err := f.Wait(ctx)
		if err != nil {
			return nil, err
		}
		for i, slot := range slots {
			resp.Results[slot] = deletedACLs(results[i])
		}
		return resp, nil
	}
}

func deletedACLs(d broker.DeletedACLs) kmsg.DeleteACLsResponseResult {
	out := kmsg.NewDeleteACLsResponseResult()
	out.ErrorCode, out.ErrorMessage = code(d.Err), message(d.Err, "")
	for _, a := range d.Removed {
		m := kmsg.NewDeleteACLsResponseResultMatchingACL()
		m.ResourceType, m.ResourceName, m.ResourcePatternType = kmsg.ACLResourceType(a.Resource), a.Name, kmsg.ACLResourcePatternType(a.Pattern)
		m.Principal, m.Host = a.Principal, a.Host
		m.Operation, m.PermissionType = kmsg.ACLOperation(a.Operation), kmsg.ACLPermissionType(a.Permission)
		out.MatchingACLs = append(out.MatchingACLs, m)
	}
	return out
}

func (n *node) describeUserSCRAMCredentials(_ call, r *kmsg.DescribeUserSCRAMCredentialsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	users := n.broker.Security().Users
	infos := map[string][]kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo{}
	for _, k := range users.Keys() {
		c, _ := users.Find(k)
		info := kmsg.NewDescribeUserSCRAMCredentialsResponseResultCredentialInfo()
		info.Mechanism, info.Iterations = int8(k.Mechanism), c.Iterations
		infos[k.Name] = append(infos[k.Name], info)
	}
	count := map[string]int{}
	var names []string
	for _, u := range r.Users {
		if count[u.Name]++; count[u.Name] == 1 {
			names = append(names, u.Name)
		}
	}
	if len(r.Users) == 0 {
		for name := range infos {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	for _, name := range names {
		res := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
		res.User = name
		switch {
		case count[name] > 1:
			res.ErrorCode = kerr.DuplicateResource.Code
			res.ErrorMessage = ptr("Cannot describe SCRAM credentials for the same user twice in a single request: " + name)
		case infos[name] == nil:
			res.ErrorCode = kerr.ResourceNotFound.Code
			res.ErrorMessage = ptr("Attempt to describe a user credential that does not exist: " + name)
		default:
			res.CredentialInfos = infos[name]
		}
		resp.Results = append(resp.Results, res)
	}
	return resp
}

// A userWish is what one request asks for one user: all of it or nothing is done.
type userWish struct {
	name   string
	set    map[auth.Mechanism]auth.Credential
	remove []auth.Mechanism
	err    *kerr.Error
	detail string
}

// name notes a mechanism; it may be named once.
func (w *userWish) mechanism(code int8) (m auth.Mechanism, ok bool) {
	m = auth.Mechanism(code)
	_, set := w.set[m]
	switch {
	case w.err != nil:
		return 0, false
	case auth.CheckUser(w.name) != nil:
		w.err, w.detail = kerr.UnacceptableCredential, "Username must not be empty."
	case !m.IsScram():
		w.err, w.detail = kerr.UnsupportedSaslMechanism, "Unknown SCRAM mechanism."
	case set || slices.Contains(w.remove, m):
		w.err, w.detail = kerr.DuplicateResource, "A user credential cannot be altered twice in the same request."
	}
	return m, w.err == nil
}

func (w *userWish) upsert(u *kmsg.AlterUserSCRAMCredentialsRequestUpsertion) {
	m, ok := w.mechanism(u.Mechanism)
	switch {
	case !ok:
	case u.Iterations < auth.MinIterations:
		w.err, w.detail = kerr.UnacceptableCredential, "Too few iterations."
	case u.Iterations > auth.MaxIterations:
		w.err, w.detail = kerr.UnacceptableCredential, "Too many iterations."
	case len(u.Salt) == 0 || len(u.Salt) > maxSalt || len(u.SaltedPassword) == 0 || len(u.SaltedPassword) > maxSalt: // Kafka looks no closer
		w.err, w.detail = kerr.UnacceptableCredential, "The salt or the salted password has a wrong length."
	default:
		w.set[m] = auth.FromSalted(m, u.SaltedPassword, u.Salt, u.Iterations)
	}
}

// maxSalt bounds a salt, and a salted password, in bytes.
const maxSalt = 1 << 10

func (n *node) alterUserSCRAMCredentials(_ call, r *kmsg.AlterUserSCRAMCredentialsRequest) pending {
	wishes := map[string]*userWish{}
	wish := func(name string) *userWish {
		if wishes[name] == nil {
			wishes[name] = &userWish{name: name, set: map[auth.Mechanism]auth.Credential{}}
		}
		return wishes[name]
	}
	for _, d := range r.Deletions {
		w := wish(d.Name)
		if m, ok := w.mechanism(d.Mechanism); ok {
			w.remove = append(w.remove, m)
		}
	}
	for i := range r.Upsertions {
		wish(r.Upsertions[i].Name).upsert(&r.Upsertions[i])
	}
	sorted := make([]*userWish, 0, len(wishes))
	for _, w := range wishes {
		sorted = append(sorted, w)
	}
	slices.SortFunc(sorted, func(a, b *userWish) int { return cmp.Compare(a.name, b.name) })
	fs := make([]*broker.Future[*kerr.Error], len(sorted))
	for i, w := range sorted {
		if w.err == nil {
			fs[i] = n.broker.AlterUser(w.name, w.set, w.remove)
		}
	}
	return func(ctx context.Context) (answer, error) {
		resp := r.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
		for i, w := range sorted {
			if fs[i] != nil {
				var err error
				if w.err, err = fs[i].Wait(ctx); err != nil {
					return nil, err
				}
				if w.err == kerr.ResourceNotFound {
					w.detail = "Attempt to delete a user credential that does not exist."
				}
			}
			res := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
			res.User, res.ErrorCode, res.ErrorMessage = w.name, code(w.err), message(w.err, w.detail)
			resp.Results = append(resp.Results, res)
		}
		return resp, nil
	}
}

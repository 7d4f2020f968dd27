package auth

import (
	"cmp"
	"strings"
)

// Operation, ResourceType, PatternType and Permission have the numbers of Kafka's protocol. Any and Match stand in filters only.
type (
	Operation    int8
	ResourceType int8
	PatternType  int8
	Permission   int8
)

// The operations.
const (
	AnyOperation    Operation = 1
	AllOperations   Operation = 2
	Read            Operation = 3
	Write           Operation = 4
	Create          Operation = 5
	Delete          Operation = 6
	Alter           Operation = 7
	Describe        Operation = 8
	ClusterAction   Operation = 9
	DescribeConfigs Operation = 10
	AlterConfigs    Operation = 11
	IdempotentWrite Operation = 12
	CreateTokens    Operation = 13
	DescribeTokens  Operation = 14
	TwoPhaseCommit  Operation = 15
)

// The types of resources.
const (
	AnyResource     ResourceType = 1
	Topic           ResourceType = 2
	Group           ResourceType = 3
	Cluster         ResourceType = 4
	TransactionalID ResourceType = 5
	DelegationToken ResourceType = 6
	UserResource    ResourceType = 7
)

// The types of patterns.
const (
	AnyPattern   PatternType = 1
	MatchPattern PatternType = 2 // literal, wildcard and prefixed ones that match the name
	Literal      PatternType = 3
	Prefixed     PatternType = 4
)

// The permissions.
const (
	AnyPermission Permission = 1
	Deny          Permission = 2
	Allow         Permission = 3
)

// ClusterName is the name of the only resource of type Cluster; Wildcard as a literal name, a host or a user means all.
const (
	ClusterName = "kafka-cluster"
	Wildcard    = "*"
)

// Everyone is the principal that every user is as well.
const Everyone = UserType + ":" + Wildcard

// Operations lists what the ACLs of a type of resource may name, besides AllOperations.
func (t ResourceType) Operations() []Operation {
	switch t {
	case Topic:
		return []Operation{Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs}
	case Group:
		return []Operation{Read, Delete, Describe, DescribeConfigs, AlterConfigs}
	case Cluster:
		return []Operation{Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite}
	case TransactionalID:
		return []Operation{Write, Describe, TwoPhaseCommit}
	case DelegationToken:
		return []Operation{Describe}
	case UserResource:
		return []Operation{CreateTokens, DescribeTokens}
	}
	return nil
}

// An ACL is one rule. It is comparable: two equal ones are the same rule.
type ACL struct {
	Resource   ResourceType
	Pattern    PatternType
	Name       string // of the resource, or what it begins with
	Principal  string
	Host       string
	Operation  Operation
	Permission Permission
}

// Compare orders ACLs by resource, then who, then what.
func (a ACL) Compare(b ACL) int {
	return cmp.Or(
		cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Pattern, b.Pattern),
		cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Host, b.Host),
		cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Permission, b.Permission),
	)
}

// maxACLText bounds each text of an ACL, in bytes.
const maxACLText = 1 << 10

// Check returns what is wrong with an ACL that shall be made, as a sentence; empty when nothing is.
func (a ACL) Check() string {
	switch {
	case a.Resource < Topic || a.Resource > UserResource:
		return "Invalid resourceType."
	case a.Pattern != Literal && a.Pattern != Prefixed:
		return "Invalid patternType."
	case a.Operation < AllOperations || a.Operation > TwoPhaseCommit:
		return "Invalid operation."
	case a.Permission != Deny && a.Permission != Allow:
		return "Invalid permissionType."
	case a.Name == "":
		return "Resource name should not be empty."
	case a.Resource == Cluster && a.Name != ClusterName:
		return "The only valid name for the CLUSTER resource is " + ClusterName + "."
	case a.Host == "":
		return "Host should not be empty."
	case len(a.Name) > maxACLText || len(a.Principal) > maxACLText || len(a.Host) > maxACLText:
		return "A name, principal or host is too long."
	}
	if _, err := ParsePrincipal(a.Principal); err != nil {
		return "Could not parse principal from `" + a.Principal + "` (it is written as type:name)."
	}
	return ""
}

// A Filter selects ACLs; nil texts and Any select all.
type Filter struct {
	Resource   ResourceType
	Pattern    PatternType
	Name       *string
	Principal  *string
	Host       *string
	Operation  Operation
	Permission Permission
}

// Check returns what is wrong with a filter, as a sentence; empty when nothing is.
func (f Filter) Check() string {
	switch {
	case f.Resource < AnyResource || f.Resource > UserResource:
		return "The filter has an unknown resource type."
	case f.Pattern < AnyPattern || f.Pattern > Prefixed:
		return "The filter has an unknown pattern type."
	case f.Operation < AnyOperation || f.Operation > TwoPhaseCommit:
		return "The filter has an unknown operation."
	case f.Permission < AnyPermission || f.Permission > Allow:
		return "The filter has an unknown permission type."
	}
	return ""
}

// Matches reports whether the filter selects a.
func (f Filter) Matches(a ACL) bool {
	return f.matchesResource(a) && within(f.Principal, a.Principal) && within(f.Host, a.Host) &&
		(f.Operation == AnyOperation || f.Operation == a.Operation) &&
		(f.Permission == AnyPermission || f.Permission == a.Permission)
}

func (f Filter) matchesResource(a ACL) bool {
	if f.Resource != AnyResource && f.Resource != a.Resource {
		return false
	}
	switch {
	case f.Pattern != MatchPattern:
		return (f.Pattern == AnyPattern || f.Pattern == a.Pattern) && within(f.Name, a.Name)
	case f.Name == nil:
		return true
	case a.Pattern == Prefixed:
		return strings.HasPrefix(*f.Name, a.Name)
	}
	return a.Name == *f.Name || a.Name == Wildcard
}

// within reports whether a filter's text lets s pass.
func within(filter *string, s string) bool { return filter == nil || *filter == s }

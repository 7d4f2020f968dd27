// Package auth decides who somebody is and what they may do: principals, logins by password (SASL PLAIN and SCRAM), and access
// control lists with the rules of Kafka's StandardAuthorizer.
//
// The Kafka server runs logins and asks Rules; the broker keeps credentials and ACLs durable and hands out snapshots. It calls
// nobody.
//
// A Login belongs to one connection. Users and Index are immutable, a changed one is a new value; nothing here takes a lock.
//
// State of a login: first message → (SCRAM: challenge → final message) → done, or failed for good. Formats: RFC 4616 (PLAIN),
// RFC 5802 and 7677 (SCRAM), RFC 2253 (names of certificates).
//
// Not here: sockets, durable formats (internal/broker/frame), which request needs which right (internal/server/kafka/gate).
package auth

import (
	"errors"
	"strings"
)

// A Principal is somebody: a kind, which is "User" for all that log in, and a name.
type Principal struct{ Type, Name string }

// UserType is the type of every principal that this package makes.
const UserType = "User"

// Anonymous is who connects without a login and without a certificate.
var Anonymous = Principal{UserType, "ANONYMOUS"}

// User is the principal of a user's name.
func User(name string) Principal { return Principal{UserType, name} }

// String writes it as ACLs and tools do: User:alice.
func (p Principal) String() string { return p.Type + ":" + p.Name }

// ErrPrincipal marks a text that names no principal.
var ErrPrincipal = errors.New("a principal is written as User:name")

// ParsePrincipal reads what String writes. The name may hold colons and may be empty, as in Kafka.
func ParsePrincipal(s string) (Principal, error) {
	typ, name, ok := strings.Cut(s, ":")
	if !ok || typ == "" {
		return Principal{}, ErrPrincipal
	}
	return Principal{typ, name}, nil
}

// A Subject is a principal that asks from somewhere.
type Subject struct {
	Principal string // as String writes it
	Host      string // the client's IP address, as ACLs name it
}

// Errors of a login. A failed login tells its client no more than ErrDenied does; the others are for the operator.
var (
	// ErrDenied: the user is unknown, the password is wrong, or the user asked to be somebody else.
	ErrDenied = errors.New("invalid credentials")
	// ErrMalformed: the message is not what the mechanism says.
	ErrMalformed = errors.New("malformed login message")
)

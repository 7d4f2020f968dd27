package frame

import (
	"encoding/binary"

	"github.com/mainstemio/mainstem/internal/auth"
)

// A CredentialChange sets one credential of a user, or removes it (nil).
type CredentialChange struct {
	auth.UserKey
	Credential *auth.Credential
}

// CredentialsChanged is applied whole: Kafka answers user by user, and so is it written.
type CredentialsChanged []CredentialChange

// Append encodes f.
func (f CredentialsChanged) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(f)))
	for _, c := range f {
		dst = append(AppendString(dst, c.Name), byte(c.Mechanism))
		dst = AppendBool(dst, c.Credential != nil)
		if c.Credential == nil {
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(c.Credential.Iterations))
		dst = AppendBytes(AppendBytes(AppendBytes(dst, c.Credential.Salt), c.Credential.StoredKey), c.Credential.ServerKey)
	}
	return dst
}

// DecodeCredentialsChanged reads what Append wrote.
func DecodeCredentialsChanged(b []byte) (CredentialsChanged, error) {
	d := Decoder{B: b}
	f := d.Credentials()
	return f, d.End("changed credentials")
}

// Credentials reads what CredentialsChanged.Append wrote. Keys and salts are copies.
func (d *Decoder) Credentials() CredentialsChanged {
	f := make(CredentialsChanged, d.Count())
	for i := range f {
		c := &f[i]
		c.Name, c.Mechanism = d.String(), auth.Mechanism(d.byte())
		if d.Bool() {
			c.Credential = &auth.Credential{Iterations: int32(d.Uvarint()), Salt: d.copied(), StoredKey: d.copied(), ServerKey: d.copied()}
		}
		if !c.whole() {
			d.Fail()
		}
	}
	return f
}

// whole reports whether a change can be used: a login trusts the sizes.
func (c CredentialChange) whole() bool {
	if !c.Mechanism.IsScram() {
		return false
	}
	k := c.Credential
	return k == nil || k.Iterations > 0 && len(k.StoredKey) == c.Mechanism.KeySize() && len(k.ServerKey) == c.Mechanism.KeySize()
}

// ACLsChanged removes ACLs, then adds some.
type ACLsChanged struct{ Removed, Added []auth.ACL }

// Append encodes f.
func (f ACLsChanged) Append(dst []byte) []byte {
	return AppendACLs(AppendACLs(dst, f.Removed), f.Added)
}

// DecodeACLsChanged reads what Append wrote.
func DecodeACLsChanged(b []byte) (ACLsChanged, error) {
	d := Decoder{B: b}
	f := ACLsChanged{Removed: d.ACLs(), Added: d.ACLs()}
	return f, d.End("changed ACLs")
}

// AppendACLs appends a list of ACLs.
func AppendACLs(dst []byte, acls []auth.ACL) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(acls)))
	for _, a := range acls {
		dst = append(dst, byte(a.Resource), byte(a.Pattern), byte(a.Operation), byte(a.Permission))
		dst = AppendString(AppendString(AppendString(dst, a.Name), a.Principal), a.Host)
	}
	return dst
}

// ACLs reads what AppendACLs wrote.
func (d *Decoder) ACLs() []auth.ACL {
	acls := make([]auth.ACL, d.Count())
	for i := range acls {
		a := &acls[i]
		a.Resource, a.Pattern = auth.ResourceType(d.byte()), auth.PatternType(d.byte())
		a.Operation, a.Permission = auth.Operation(d.byte()), auth.Permission(d.byte())
		a.Name, a.Principal, a.Host = d.String(), d.String(), d.String()
	}
	return acls
}

func (d *Decoder) byte() byte {
	b := d.Take(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (d *Decoder) copied() []byte { return append([]byte{}, d.Bytes()...) }

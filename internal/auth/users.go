package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// A Mechanism is a way to log in. The SCRAM ones have the numbers of Kafka's protocol.
type Mechanism uint8

// The mechanisms.
const (
	ScramSHA256 Mechanism = 1
	ScramSHA512 Mechanism = 2
	Plain       Mechanism = 3
)

// Mechanisms are all, the stronger first.
var Mechanisms = []Mechanism{ScramSHA512, ScramSHA256, Plain}

// String is the mechanism's name in SASL.
func (m Mechanism) String() string {
	switch m {
	case ScramSHA256:
		return "SCRAM-SHA-256"
	case ScramSHA512:
		return "SCRAM-SHA-512"
	case Plain:
		return "PLAIN"
	}
	return fmt.Sprintf("mechanism %d", uint8(m))
}

// ParseMechanism reads a mechanism's name, in any case.
func ParseMechanism(s string) (Mechanism, bool) {
	for _, m := range Mechanisms {
		if strings.EqualFold(s, m.String()) {
			return m, true
		}
	}
	return 0, false
}

// IsScram reports whether credentials of this mechanism can be stored.
func (m Mechanism) IsScram() bool { return m == ScramSHA256 || m == ScramSHA512 }

func (m Mechanism) hash() func() hash.Hash {
	if m == ScramSHA512 {
		return sha512.New
	}
	return sha256.New
}

// KeySize is the length of the mechanism's keys in bytes.
func (m Mechanism) KeySize() int { return m.hash()().Size() }

// Bounds of the iteration count, as in Kafka: a login costs the server that many HMACs with PLAIN, and the client with SCRAM.
const (
	MinIterations     = 4096
	MaxIterations     = 16384
	DefaultIterations = 4096
)

// A Credential is what a server keeps of a password (RFC 5802): it proves the password right and does not reveal it.
type Credential struct {
	Salt, StoredKey, ServerKey []byte
	Iterations                 int32
}

// NewCredential makes the credential of a password.
func NewCredential(m Mechanism, password string, salt []byte, iterations int32) (Credential, error) {
	salted, err := SaltPassword(m, password, salt, iterations)
	if err != nil {
		return Credential{}, err
	}
	return FromSalted(m, salted, salt, iterations), nil
}

// SaltPassword is the RFC's SaltedPassword, from which credentials are made.
func SaltPassword(m Mechanism, password string, salt []byte, iterations int32) ([]byte, error) {
	if iterations < 1 {
		return nil, fmt.Errorf("salt a password: %d iterations", iterations)
	}
	salted, err := pbkdf2.Key(m.hash(), password, salt, int(iterations), m.KeySize())
	if err != nil {
		return nil, fmt.Errorf("salt a password: %w", err)
	}
	return salted, nil
}

// FromSalted makes a credential of a salted password, which is what Kafka's clients send.
func FromSalted(m Mechanism, salted, salt []byte, iterations int32) Credential {
	stored := m.hash()()
	stored.Write(mac(m, salted, "Client Key"))
	return Credential{
		Salt: slices.Clone(salt), StoredKey: stored.Sum(nil), ServerKey: mac(m, salted, "Server Key"), Iterations: iterations,
	}
}

func mac(m Mechanism, key []byte, text string) []byte {
	h := hmac.New(m.hash(), key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Proves reports whether password is the credential's, in a time that depends on the iterations only.
func (c Credential) Proves(m Mechanism, password string) bool {
	got, err := NewCredential(m, password, c.Salt, c.Iterations)
	return err == nil && subtle.ConstantTimeCompare(got.StoredKey, c.StoredKey) == 1
}

// A UserKey names one credential: a user has at most one of each SCRAM mechanism.
type UserKey struct {
	Name      string
	Mechanism Mechanism
}

// Compare orders keys by name, then mechanism.
func (k UserKey) Compare(o UserKey) int {
	if c := strings.Compare(k.Name, o.Name); c != 0 {
		return c
	}
	return int(k.Mechanism) - int(o.Mechanism)
}

// maxUser bounds a user's name, in bytes.
const maxUser = 1 << 10

// Errors of CheckUser and CheckIterations.
var (
	ErrUserName   = errors.New("a user's name must not be empty, too long or hold a zero byte")
	ErrIterations = fmt.Errorf("iterations must be %d to %d", MinIterations, MaxIterations)
)

// CheckUser tells whether a user may have this name.
func CheckUser(name string) error {
	if name == "" || len(name) > maxUser || strings.ContainsRune(name, 0) {
		return ErrUserName
	}
	return nil
}

// CheckIterations tells whether a stored credential may have this many.
func CheckIterations(n int32) error {
	if n < MinIterations || n > MaxIterations {
		return ErrIterations
	}
	return nil
}

// Users is a snapshot of all credentials.
type Users struct {
	all  map[UserKey]Credential
	keys []UserKey // sorted
	like [3][]UserKey
}

// NewUsers takes a snapshot of credentials, which must not change any more.
func NewUsers(all map[UserKey]Credential) *Users {
	u := &Users{all: make(map[UserKey]Credential, len(all))}
	for k, c := range all {
		u.all[k] = c
		u.keys = append(u.keys, k)
	}
	slices.SortFunc(u.keys, UserKey.Compare)
	for _, k := range u.keys {
		if k.Mechanism.IsScram() {
			u.like[k.Mechanism] = append(u.like[k.Mechanism], k)
		}
	}
	return u
}

// Find returns one credential.
func (u *Users) Find(k UserKey) (Credential, bool) {
	c, ok := u.all[k]
	return c, ok
}

// Keys are all, sorted by name and mechanism; they must not be changed.
func (u *Users) Keys() []UserKey { return u.keys }

// plain finds the credential against which PLAIN is checked.
func (u *Users) plain(name string) (Mechanism, Credential, bool) {
	for _, m := range []Mechanism{ScramSHA256, ScramSHA512} {
		if c, ok := u.all[UserKey{name, m}]; ok {
			return m, c, true
		}
	}
	return 0, Credential{}, false
}

// decoy is the credential of a user who does not exist. Its salt is always the same for one name, and its size and iterations are
// those of some real user, so that nobody learns by asking who exists. Nothing proves it.
func (u *Users) decoy(k UserKey, seed []byte) Credential {
	h := hmac.New(sha512.New, seed)
	h.Write(append([]byte{byte(k.Mechanism)}, k.Name...))
	random := h.Sum(nil)
	c := Credential{Iterations: DefaultIterations, Salt: random[:saltSize]}
	if like := u.like[k.Mechanism]; len(like) > 0 {
		peer := u.all[like[binary.BigEndian.Uint64(random[48:])%uint64(len(like))]]
		c.Iterations, c.Salt = peer.Iterations, random[:min(len(peer.Salt), 48)]
	}
	keys := hmac.New(sha512.New, random)
	keys.Write([]byte("keys"))
	key := keys.Sum(nil)[:k.Mechanism.KeySize()]
	c.StoredKey, c.ServerKey = key, key
	return c
}

// saltSize is the length of a salt made here, in bytes.
const saltSize = 24

package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Login is one SASL exchange on the server's side. It belongs to one connection and fails for good.
type Login struct {
	mechanism Mechanism
	users     *Users
	nonce     string // the server's part
	seed      []byte

	user  string
	step  step
	scram scramState
}

// A step is where a login is: first → challenged → over, PLAIN first → over; over is also every failure.
type step uint8

const (
	first step = iota
	challenged
	over
)

// A scramState is what the final message of SCRAM must fit.
type scramState struct {
	credential  Credential
	known       bool
	header      string // GS2
	clientFirst string // without the header
	serverFirst string
	nonce       string
}

// NewLogin begins a login against a snapshot of the users. nonce is random, new for each login and made of printable characters
// without commas; seed is secret and the same as long as the process lives.
func NewLogin(m Mechanism, users *Users, nonce string, seed []byte) *Login {
	return &Login{mechanism: m, users: users, nonce: nonce, seed: seed}
}

// User is the name that logs in: proved once a Step said done, claimed before (for the operator's log).
func (l *Login) User() string { return l.user }

// Step takes the client's next message and returns the answer to it. An error ends the login: ErrDenied or ErrMalformed.
func (l *Login) Step(message []byte) (answer []byte, done bool, err error) {
	at := l.step
	l.step = over
	switch {
	case at == over:
		return nil, false, fmt.Errorf("%w: the login is over", ErrMalformed)
	case l.mechanism == Plain:
		return nil, true, l.plain(message)
	case at == first:
		answer, err = l.clientFirst(message)
		if err == nil {
			l.step = challenged
		}
		return answer, false, err
	}
	answer, err = l.clientFinal(message)
	return answer, err == nil, err
}

// plain checks [authzid] NUL user NUL password (RFC 4616) against the stored SCRAM credential.
func (l *Login) plain(message []byte) error {
	parts := bytes.Split(message, []byte{0})
	if len(parts) != 3 || !utf8.Valid(message) || len(parts[1]) == 0 || len(parts[1]) > maxUser || len(parts[2]) == 0 {
		return fmt.Errorf("%w: PLAIN", ErrMalformed)
	}
	l.user = string(parts[1])
	m, c, known := l.users.plain(l.user)
	if !known {
		m = ScramSHA256
		if len(l.users.like[m]) == 0 && len(l.users.like[ScramSHA512]) > 0 {
			m = ScramSHA512
		}
		c = l.users.decoy(UserKey{l.user, m}, l.seed)
	}
	proved := c.Proves(m, string(parts[2]))
	if !proved || !known || len(parts[0]) > 0 && !bytes.Equal(parts[0], parts[1]) {
		return ErrDenied
	}
	return nil
}

// clientFirst reads gs2-header "n=" user ",r=" nonce and makes the challenge.
func (l *Login) clientFirst(message []byte) ([]byte, error) {
	header, authzid, bare, err := gs2(string(message))
	if err != nil {
		return nil, err
	}
	fields := strings.Split(bare, ",")
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "n=") || !strings.HasPrefix(fields[1], "r=") {
		return nil, fmt.Errorf("%w: SCRAM first message", ErrMalformed)
	}
	user, ok := unescape(fields[0][2:])
	nonce := fields[1][2:]
	if !ok || user == "" || len(user) > maxUser || !printable(nonce) {
		return nil, fmt.Errorf("%w: SCRAM first message", ErrMalformed)
	}
	l.user = user
	for _, f := range fields[2:] { // extensions are ignored but for one that asks for another way to log in (KIP-48)
		if strings.EqualFold(f, "tokenauth=true") {
			return nil, ErrDenied
		}
	}
	if authzid != "" && authzid != user {
		return nil, ErrDenied
	}
	k := UserKey{user, l.mechanism}
	c, known := l.users.Find(k)
	if !known {
		c = l.users.decoy(k, l.seed)
	}
	l.scram = scramState{credential: c, known: known, header: header, clientFirst: bare, nonce: nonce + l.nonce}
	l.scram.serverFirst = "r=" + l.scram.nonce + ",s=" + base64.StdEncoding.EncodeToString(c.Salt) + ",i=" + strconv.Itoa(int(c.Iterations))
	return []byte(l.scram.serverFirst), nil
}

// gs2 cuts the header off: n or y (the server offers no channel binding), the name to act for, both with a comma.
func gs2(message string) (header, authzid, bare string, err error) {
	if !utf8.ValidString(message) || strings.ContainsRune(message, 0) {
		return "", "", "", fmt.Errorf("%w: SCRAM message is no text", ErrMalformed)
	}
	parts := strings.SplitN(message, ",", 3)
	if len(parts) != 3 || parts[0] != "n" && parts[0] != "y" {
		return "", "", "", fmt.Errorf("%w: SCRAM header", ErrMalformed)
	}
	if parts[1] != "" {
		name, found := strings.CutPrefix(parts[1], "a=")
		name, ok := unescape(name)
		if !found || !ok || name == "" {
			return "", "", "", fmt.Errorf("%w: SCRAM authorization name", ErrMalformed)
		}
		authzid = name
	}
	return parts[0] + "," + parts[1] + ",", authzid, parts[2], nil
}

// unescape reads a saslname: "," is written =2C and "=" is =3D.
func unescape(s string) (string, bool) {
	plain := strings.NewReplacer("=2C", ",", "=3D", "=").Replace(s)
	return plain, strings.Count(s, "=") == strings.Count(s, "=2C")+strings.Count(s, "=3D")
}

// maxNonce bounds a client's nonce, which the server sends back, in bytes.
const maxNonce = 1 << 10

func printable(nonce string) bool {
	for _, c := range []byte(nonce) {
		if c < 0x21 || c > 0x7e || c == ',' {
			return false
		}
	}
	return nonce != "" && len(nonce) <= maxNonce
}

// clientFinal checks "c=" header ",r=" nonce … ",p=" proof and proves the server to the client.
func (l *Login) clientFinal(message []byte) ([]byte, error) {
	s := &l.scram
	text := string(message)
	i := strings.LastIndex(text, ",p=")
	if i < 0 || !utf8.Valid(message) {
		return nil, fmt.Errorf("%w: SCRAM final message", ErrMalformed)
	}
	proof, err := base64.StdEncoding.DecodeString(text[i+3:])
	if err != nil || len(proof) != l.mechanism.KeySize() {
		return nil, fmt.Errorf("%w: SCRAM proof", ErrMalformed)
	}
	fields := strings.Split(text[:i], ",")
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "c=") || !strings.HasPrefix(fields[1], "r=") {
		return nil, fmt.Errorf("%w: SCRAM final message", ErrMalformed)
	}
	binding, err := base64.StdEncoding.DecodeString(fields[0][2:])
	if err != nil {
		return nil, fmt.Errorf("%w: SCRAM channel binding", ErrMalformed)
	}
	// An old proof with somebody else's nonce, or for another header, is worth nothing.
	fits := subtle.ConstantTimeCompare(binding, []byte(s.header)) & subtle.ConstantTimeCompare([]byte(fields[1][2:]), []byte(s.nonce))
	said := s.clientFirst + "," + s.serverFirst + "," + text[:i]
	key := mac(l.mechanism, s.credential.StoredKey, said)
	subtle.XORBytes(key, key, proof)
	stored := l.mechanism.hash()()
	stored.Write(key)
	proved := hmac.Equal(stored.Sum(nil), s.credential.StoredKey)
	if fits != 1 || !proved || !s.known {
		return nil, ErrDenied
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(l.mechanism, s.credential.ServerKey, said))), nil
}

package auth

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func mustDecode(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func users(t testing.TB, list map[UserKey]string) *Users {
	t.Helper()
	all := map[UserKey]Credential{}
	for k, password := range list {
		c, err := NewCredential(k.Mechanism, password, []byte("salt of "+k.Name), DefaultIterations)
		if err != nil {
			t.Fatal(err)
		}
		all[k] = c
	}
	return NewUsers(all)
}

var seed = []byte("a seed")

// RFC 7677 section 3.
func TestLoginFollowsTheRFCsExample(t *testing.T) {
	salt := mustDecode(t, "W22ZaJ0SNY7soEsUEjb6gQ==")
	c, err := NewCredential(ScramSHA256, "pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.StdEncoding.EncodeToString(c.StoredKey); got != "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" {
		t.Errorf("stored key %s", got)
	}
	if got := base64.StdEncoding.EncodeToString(c.ServerKey); got != "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" {
		t.Errorf("server key %s", got)
	}
	l := NewLogin(ScramSHA256, NewUsers(map[UserKey]Credential{{"user", ScramSHA256}: c}), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", seed)
	steps := []struct{ client, server string }{
		{"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"},
		{"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	}
	for i, s := range steps {
		got, done, err := l.Step([]byte(s.client))
		if err != nil || string(got) != s.server || done != (i == 1) {
			t.Fatalf("step %d: %q, %v, %v", i, got, done, err)
		}
	}
	if l.User() != "user" {
		t.Errorf("user %q", l.User())
	}
	if _, _, err := l.Step([]byte(steps[1].client)); !errors.Is(err, ErrMalformed) {
		t.Errorf("after the end: %v", err)
	}
}

// final answers a challenge as a client that knows the password does.
func final(t testing.TB, m Mechanism, password, header, bare, challenge string) string {
	t.Helper()
	fields := strings.Split(challenge, ",")
	salt := mustDecode(t, fields[1][2:])
	salted, err := SaltPassword(m, password, salt, DefaultIterations)
	if err != nil {
		t.Fatal(err)
	}
	without := "c=" + base64.StdEncoding.EncodeToString([]byte(header)) + "," + fields[0]
	return without + ",p=" + proof(m, salted, bare+","+challenge+","+without)
}

func proof(m Mechanism, salted []byte, said string) string {
	key := mac(m, salted, "Client Key")
	stored := m.hash()()
	stored.Write(key)
	signature := mac(m, stored.Sum(nil), said)
	for i := range key {
		key[i] ^= signature[i]
	}
	return base64.StdEncoding.EncodeToString(key)
}

func TestScramTakesTheRightPasswordOnly(t *testing.T) {
	all := users(t, map[UserKey]string{
		{"alice", ScramSHA256}: "right", {"alice", ScramSHA512}: "right", {"a,b=c", ScramSHA256}: "odd", {"only512", ScramSHA512}: "x",
	})
	for _, c := range []struct {
		name, header, bare, password string
		m                            Mechanism
		want                         error
	}{
		{"right", "n,,", "n=alice,r=abc", "right", ScramSHA256, nil},
		{"right, SHA-512", "n,,", "n=alice,r=abc", "right", ScramSHA512, nil},
		{"client could bind channels", "y,,", "n=alice,r=abc", "right", ScramSHA256, nil},
		{"acts for itself", "n,a=alice,", "n=alice,r=abc", "right", ScramSHA256, nil},
		{"unknown extension", "n,,", "n=alice,r=abc,x=1", "right", ScramSHA256, nil},
		{"escaped name", "n,,", "n=a=2Cb=3Dc,r=abc", "odd", ScramSHA256, nil},
		{"wrong password", "n,,", "n=alice,r=abc", "wrong", ScramSHA256, ErrDenied},
		{"unknown user", "n,,", "n=bob,r=abc", "right", ScramSHA256, ErrDenied},
		{"unknown user with no password at all", "n,,", "n=bob,r=abc", "", ScramSHA512, ErrDenied},
		{"a credential of the other mechanism", "n,,", "n=only512,r=abc", "x", ScramSHA256, ErrDenied},
		{"acts for somebody else", "n,a=root,", "n=alice,r=abc", "right", ScramSHA256, ErrDenied},
		{"delegation token", "n,,", "n=alice,r=abc,tokenauth=true", "right", ScramSHA256, ErrDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := NewLogin(c.m, all, "NONCE", seed)
			challenge, done, err := l.Step([]byte(c.header + c.bare))
			if err == nil {
				if done {
					t.Fatal("done before a proof")
				}
				_, done, err = l.Step([]byte(final(t, c.m, c.password, c.header, c.bare, string(challenge))))
			}
			if !errors.Is(err, c.want) || done != (c.want == nil) {
				t.Errorf("done %v, error %v", done, err)
			}
		})
	}
}

func TestScramRefusesReplaysAndCrookedMessages(t *testing.T) {
	all := users(t, map[UserKey]string{{"alice", ScramSHA256}: "right"})
	begin := func(nonce string) (*Login, string) {
		l := NewLogin(ScramSHA256, all, nonce, seed)
		challenge, _, err := l.Step([]byte("n,,n=alice,r=abc"))
		if err != nil {
			t.Fatal(err)
		}
		return l, string(challenge)
	}
	_, challenge := begin("ONE")
	captured := final(t, ScramSHA256, "right", "n,,", "n=alice,r=abc", challenge)
	l, other := begin("TWO")
	if _, _, err := l.Step([]byte(captured)); !errors.Is(err, ErrDenied) {
		t.Errorf("a captured proof: %v", err)
	}
	if other == challenge {
		t.Error("both logins have one nonce")
	}
	crooked := map[string]func(string) string{
		"other nonce":     func(s string) string { return strings.Replace(s, "r=abc", "r=abd", 1) },
		"client's nonce":  func(s string) string { return strings.Replace(s, "r=abcONE", "r=abc", 1) },
		"other header":    func(s string) string { return strings.Replace(s, "c=biws", "c=eSws", 1) },
		"no proof":        func(s string) string { return s[:strings.Index(s, ",p=")] },
		"short proof":     func(s string) string { return s[:strings.Index(s, ",p=")] + ",p=AAAA" },
		"proof of zeros":  func(s string) string { return s[:strings.Index(s, ",p=")] + ",p=" + strings.Repeat("A", 43) + "=" },
		"proof no base64": func(s string) string { return s[:strings.Index(s, ",p=")] + ",p=!" },
		"nothing":         func(string) string { return "" },
	}
	for name, bend := range crooked {
		l, challenge := begin("ONE")
		if _, done, err := l.Step([]byte(bend(final(t, ScramSHA256, "right", "n,,", "n=alice,r=abc", challenge)))); err == nil || done {
			t.Errorf("%s: taken", name)
		}
		if _, _, err := l.Step([]byte(captured)); err == nil {
			t.Errorf("%s: a second try is taken", name)
		}
	}
	for _, m := range []string{
		"", "n", "n,,", "n,,n=", "n,,n=alice", "n,,r=abc,n=alice", "n,,n=alice,r=", "p=tls-unique,,n=alice,r=abc", "x,,n=alice,r=abc", "n,b=x,n=alice,r=abc",
		"n,,n=al=ice,r=abc", "n,,n=,r=abc", "n,,m=x,n=alice,r=abc", "n,,n=alice,r=a\x01b", "n,a=,n=alice,r=abc", "n,,n=a\x00,r=abc", "n,,n=\xff,r=abc",
		"n,,n=alice,r=" + strings.Repeat("x", maxNonce+1), "n,,n=" + strings.Repeat("x", maxUser+1) + ",r=abc",
	} {
		l := NewLogin(ScramSHA256, all, "NONCE", seed)
		if answer, _, err := l.Step([]byte(m)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %q, %v", m, answer, err)
		}
	}
}

func TestUnknownUsersLookLikeKnownOnes(t *testing.T) {
	all := map[UserKey]Credential{}
	for _, name := range []string{"a", "b", "c"} {
		c, err := NewCredential(ScramSHA256, "p", []byte("salt-of-sixteen-"), 8192)
		if err != nil {
			t.Fatal(err)
		}
		all[UserKey{name, ScramSHA256}] = c
	}
	u := NewUsers(all)
	challenge := func(user string) string {
		got, _, err := NewLogin(ScramSHA256, u, "N", seed).Step([]byte("n,,n=" + user + ",r=abc"))
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	known, unknown := challenge("a"), challenge("nobody")
	if len(known) != len(unknown) || !strings.HasSuffix(unknown, ",i=8192") {
		t.Errorf("known %s, unknown %s", known, unknown)
	}
	if challenge("nobody") != unknown {
		t.Error("an unknown user's salt changes from login to login")
	}
	if challenge("nobody2") == unknown {
		t.Error("all unknown users have one salt")
	}
}

func TestPlainIsCheckedAgainstTheStoredCredential(t *testing.T) {
	all := users(t, map[UserKey]string{{"alice", ScramSHA256}: "right", {"only512", ScramSHA512}: "p512"})
	for _, c := range []struct {
		message string
		want    error
	}{
		{"\x00alice\x00right", nil},
		{"alice\x00alice\x00right", nil},
		{"\x00only512\x00p512", nil},
		{"\x00alice\x00wrong", ErrDenied},
		{"\x00bob\x00right", ErrDenied},
		{"root\x00alice\x00right", ErrDenied},
		{"\x00alice\x00", ErrMalformed},
		{"\x00\x00right", ErrMalformed},
		{"alice\x00right", ErrMalformed},
		{"\x00alice\x00right\x00", ErrMalformed},
		{"", ErrMalformed},
		{"\x00al\xff\x00right", ErrMalformed},
	} {
		l := NewLogin(Plain, all, "N", seed)
		_, done, err := l.Step([]byte(c.message))
		if !errors.Is(err, c.want) || err == nil && !done {
			t.Errorf("%q: %v, done %v", c.message, err, done)
		}
	}
	if _, _, err := NewLogin(Plain, NewUsers(nil), "N", seed).Step([]byte("\x00a\x00b")); !errors.Is(err, ErrDenied) {
		t.Errorf("without any user: %v", err)
	}
}

// FuzzLogin: no message logs anybody in without the password, and none panics.
func FuzzLogin(f *testing.F) {
	all := users(f, map[UserKey]string{{"alice", ScramSHA256}: "a password that the fuzzer does not know", {"alice", ScramSHA512}: "nor this one"})
	f.Add(uint8(1), []byte("n,,n=alice,r=abc"), []byte("c=biws,r=abcNONCE,p="+strings.Repeat("A", 43)+"="))
	f.Add(uint8(2), []byte("y,a=alice,n=alice,r=abc,x=y"), []byte("c=eSxhPWFsaWNlLA==,r=abcNONCE,p="))
	f.Add(uint8(3), []byte("\x00alice\x00x"), []byte{})
	f.Fuzz(func(t *testing.T, m uint8, first, second []byte) {
		l := NewLogin(Mechanisms[int(m)%len(Mechanisms)], all, "NONCE", seed)
		for _, message := range [][]byte{first, second} {
			answer, done, err := l.Step(message)
			if err == nil && done {
				t.Fatalf("%q, %q log in", first, second)
			}
			if err != nil && !errors.Is(err, ErrDenied) && !errors.Is(err, ErrMalformed) || err != nil && answer != nil {
				t.Fatalf("answer %q, error %v", answer, err)
			}
		}
	})
}

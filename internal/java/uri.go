package java

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// ErrURI: the text is no URI as RFC 2396 has them.
var ErrURI = errors.New("not a URI")

// A URI is a text in its parts, as java.net.URI takes it apart. The parts are as written; Has tells a missing part from an empty one.
type URI struct {
	Scheme, Host, Path, Query, Fragment                string
	HasScheme, HasHost, HasPath, HasQuery, HasFragment bool
	Port                                               int // -1: none
}

// ParseURI takes s apart. A URI without "//" behind its scheme and with a path that does not start with "/" has no path (Java calls it
// opaque). An authority that is not of the form [user@]host[:port] has no host and no port.
func ParseURI(s string) (URI, error) {
	u := URI{Port: -1}
	if s == "" {
		return u, nil
	}
	if !legalURI(s) {
		return u, ErrURI
	}
	rest, frag, has := strings.Cut(s, "#")
	u.Fragment, u.HasFragment = frag, has
	if i := strings.IndexAny(rest, ":/?"); i >= 0 && rest[i] == ':' {
		if !scheme(rest[:i]) {
			return u, ErrURI
		}
		u.Scheme, u.HasScheme, rest = rest[:i], true, rest[i+1:]
		if rest == "" {
			return u, ErrURI
		}
		if rest[0] != '/' {
			return u, nil
		}
	}
	rest, u.Query, u.HasQuery = strings.Cut(rest, "?")
	if strings.HasPrefix(rest, "//") {
		authority := rest[2:]
		rest = ""
		if i := strings.IndexByte(authority, '/'); i >= 0 {
			authority, rest = authority[:i], authority[i:]
		}
		if authority == "" && rest == "" {
			return u, ErrURI
		}
		u.server(authority)
	}
	u.Path, u.HasPath = rest, true
	return u, nil
}

func scheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || (s[i] < '0' || s[i] > '9') && strings.IndexByte("+-.", s[i]) < 0) {
			return false
		}
	}
	return s != ""
}

// legalURI tells whether each character may stand in a URI: Java lets those beyond ASCII pass.
func legalURI(s string) bool {
	fragments := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			if i+2 >= len(s) || !hexDigit(s[i+1]) || !hexDigit(s[i+2]) {
				return false
			}
		case c == '#':
			if fragments++; fragments > 1 {
				return false
			}
		case c <= ' ', c == 0x7F, strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return false
		}
	}
	return true
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// server reads [user@]host[:port]; anything else leaves host and port unset.
func (u *URI) server(authority string) {
	host := authority[strings.LastIndexByte(authority, '@')+1:]
	port := -1
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		if digits := host[i+1:]; digits != "" {
			n, err := strconv.ParseUint(digits, 10, 31)
			if err != nil {
				return
			}
			port = int(n)
		}
		host = host[:i]
	}
	if host == "" || !hostname(host) {
		return
	}
	u.Host, u.HasHost, u.Port = host, true, port
}

func hostname(h string) bool {
	if h[0] == '[' {
		return h[len(h)-1] == ']'
	}
	for i := range len(h) {
		c := h[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '.' {
			continue
		}
		if c != '-' || i == 0 || i == len(h)-1 {
			return false
		}
	}
	return true
}

// DecodePercent undoes %XX in a part of a URI, as URI.getPath does; bytes that are no UTF-8 become U+FFFD.
func DecodePercent(s string) string {
	t, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return strings.ToValidUTF8(t, "\uFFFD")
}

// EncodeForm is URLEncoder.encode: letters, digits and ".-*_" stay, a space becomes +, all else %XX of its UTF-8.
func EncodeForm(s string) string {
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(".-*_", c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.Write([]byte{'%', upper[c>>4], upper[c&15]})
		}
	}
	return b.String()
}

// DecodeForm is URLDecoder.decode; the error says that a %XX is broken.
func DecodeForm(s string) (string, error) {
	t, err := url.QueryUnescape(s)
	if err != nil {
		return "", err
	}
	return strings.ToValidUTF8(t, "\uFFFD"), nil
}

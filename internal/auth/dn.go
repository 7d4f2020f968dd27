package auth

import (
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// keywords are the attribute types that RFC 2253 names; Kafka shows others by number with their value in hexadecimal.
var keywords = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
}

// Tags of the ASN.1 strings that are written as text.
const (
	tagGeneralString = 27
	tagBMPString     = 30
)

var textTags = []int{asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagT61String, asn1.TagIA5String, tagGeneralString, tagBMPString}

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// The suffix tells encoding/asn1 that it is a SET.
type relativeNameSET []attribute

// CertificateUser is the principal of a client certificate, by its subject in DER: User: and the distinguished name as Java's
// X500Principal writes it (RFC 2253, most specific part first), which is what ACLs made for Kafka name.
func CertificateUser(subject []byte) (Principal, error) {
	var names []relativeNameSET
	rest, err := asn1.Unmarshal(subject, &names)
	if err != nil || len(rest) > 0 {
		return Principal{}, fmt.Errorf("read the subject of a certificate: %w: %v", ErrMalformed, err)
	}
	parts := make([]string, 0, len(names))
	for _, name := range slices.Backward(names) {
		attributes := make([]string, 0, len(name))
		for _, a := range name {
			attributes = append(attributes, a.String())
		}
		parts = append(parts, strings.Join(attributes, "+"))
	}
	return User(strings.Join(parts, ",")), nil
}

// String writes one type=value.
func (a attribute) String() string {
	typ := a.Type.String()
	keyword, known := keywords[typ]
	if !known || a.Value.Class != asn1.ClassUniversal || !slices.Contains(textTags, a.Value.Tag) {
		if !known {
			keyword = typ
		}
		return keyword + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	return keyword + "=" + escapeValue(strings.ToValidUTF8(string(a.Value.Bytes), "\uFFFD"))
}

// escapeValue puts a backslash before what would end or change a value.
func escapeValue(s string) string {
	text := strings.TrimLeft(s, " ")
	lead := len(s) - len(text)
	text = strings.TrimRight(text, " ")
	trail := len(s) - lead - len(text)
	var b strings.Builder
	b.WriteString(strings.Repeat(`\ `, lead))
	for i, r := range text {
		switch {
		case strings.ContainsRune(`,=+<>;"\`, r), r == '#' && i == 0 && lead == 0:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == 0:
			b.WriteString(`\00`)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString(strings.Repeat(`\ `, trail))
	return b.String()
}

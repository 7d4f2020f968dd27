package auth

import (
	"encoding/base64"
	"testing"
)

// The names are those that Java's X500Principal.getName() gives for the same bytes.
func TestCertificateNamesAreJavas(t *testing.T) {
	for _, c := range []struct{ der, want string }{
		{"MGkxCzAJBgNVBAYTAkRFMQ8wDQYDVQQIDAZCZXJsaW4xDzANBgNVBAcMBkJlcmxpbjETMBEGA1UECgwKQWNtZSwgSW5jLjEMMAoGA1UECwwDUitEMRUwEwYDVQQDDAxrYWZrYSBjbGllbnQ=", `CN=kafka client,OU=R\+D,O=Acme\, Inc.,L=Berlin,ST=Berlin,C=DE`},
		{"MIGHMRMwEQYKCZImiZPyLGQBGRYDb3JnMRcwFQYKCZImiZPyLGQBGRYHZXhhbXBsZTESMBAGCgmSJomT8ixkAQEMAnUxMRMwEQYDVQQJDApNYWluID0gU3QuMRQwEgYJKoZIhvcNAQkBFgVhQGIuYzELMAkGA1UEBRMCMTIxCzAJBgNVBAwMAkRy", `2.5.4.12=#0c024472,2.5.4.5=#13023132,1.2.840.113549.1.9.1=#16056140622e63,STREET=Main \= St.,UID=u1,DC=example,DC=org`},
		{"MEExGTAXBgNVBAMMECBsZWFkI2FuZCB0cmFpbCAxDjAMBgNVBAsMBSNoYXNoMRQwEgYDVQQKDAtxImJcczxsPmc7aA==", `O=q\"b\\s\<l\>g\;h,OU=\#hash,CN=\ lead#and trail\ `},
		{"MD4xFDAIBgNVBAMMAWEwCAYDVQQLDAFiMRYwFAYDVQQKDA1aw7xyaWNoIMO8bsOvMQ4wDAYDVQQHDAVhCWIAYw==", "L=a\tb\\00c,O=Zürich ünï,CN=a+OU=b"},
		{"MCkxCTAHBgNVBAMMADELMAkGA1UECwwCICAxDzANBgNVBAoeBgBiAG0AcA==", `O=\00b\00m\00p,OU=\ \ ,CN=`},
		{"MDcxDDAKBgNVBAMUA1Q2MTEKMAgGA1UECgIBBTEMMAoGA1UECxIDMTIzMQ0wCwYDVQQHHAQAAAB1", "L=#1c0400000075,OU=#1203313233,O=#020105,CN=T61"},
		{"MAA=", ""},
	} {
		der, err := base64.StdEncoding.DecodeString(c.der)
		if err != nil {
			t.Fatal(err)
		}
		got, err := CertificateUser(der)
		if err != nil || got.String() != "User:"+c.want {
			t.Errorf("%q, %v; want %q", got, err, c.want)
		}
		for n := range der {
			if got, err := CertificateUser(der[:n]); err == nil {
				t.Errorf("%d of %d bytes are taken for %q", n, len(der), got)
			}
		}
	}
}

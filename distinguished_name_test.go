package keystone_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/keystone-auth/keystone"
)

func subject(t testing.TB, rdns pkix.RDNSequence) *x509.Certificate {
	t.Helper()
	raw, err := asn1.Marshal(rdns)
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{RawSubject: raw}
}

func attribute(oid string, value any) pkix.AttributeTypeAndValue {
	types := map[string]asn1.ObjectIdentifier{"C": {2, 5, 4, 6}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11}, "CN": {2, 5, 4, 3}, "DC": {0, 9, 2342, 19200300, 100, 1, 25}, "E": {1, 2, 840, 113549, 1, 9, 1}, "ORG": {2, 5, 4, 97}}
	return pkix.AttributeTypeAndValue{Type: types[oid], Value: value}
}

// TestSubjectDN: a registered name in the string form of RFC 4514 is compared with
// a certificate's by its parts.
func TestSubjectDN(t *testing.T) {
	cert := subject(t, pkix.RDNSequence{{attribute("C", "DE")}, {attribute("O", `Acme, "The" Inc. + Co #1`)}, {attribute("OU", "b"), attribute("OU", "a")}, {attribute("CN", "Jürgen = x ")}})
	for s, want := range map[string]bool{
		`CN=Jürgen = x\ ,OU=a+OU=b,O=Acme\, \"The\" Inc. \+ Co #1,C=DE`:                                 true,
		`cn=Jürgen = x\20,ou=b+ou=a,o=Acme\2C \22The\22 Inc. \2B Co \#1,c=DE`:                           true,
		`CN=J\C3\BCrgen \3D x\ , OU=a + OU=b, O=Acme\, \"The\" Inc. \+ Co #1,  C=DE`:                    true,
		`2.5.4.3=#` + "0c0d4ac3bc7267656e203d207820" + `,OU=a+OU=b,O=Acme\, \"The\" Inc. \+ Co #1,C=DE`: false, // length says 13, 12 follow
		`2.5.4.3=#` + "0c0c4ac3bc7267656e203d207820" + `,OU=a+OU=b,O=Acme\, \"The\" Inc. \+ Co #1,C=DE`: true,
		`CN=Jürgen = x,OU=a+OU=b,O=Acme\, \"The\" Inc. \+ Co #1,C=DE`:                                   false, // the space counts
		`C=DE,O=Acme\, \"The\" Inc. \+ Co #1,OU=a+OU=b,CN=Jürgen = x\ `:                                 false, // the other way round
		`CN=Jürgen = x\ ,OU=a,OU=b,O=Acme\, \"The\" Inc. \+ Co #1,C=DE`:                                 false, // two parts are not one
		`CN=Jürgen = x\ `: false,
		`CN=jürgen = x\ ,OU=a+OU=b,O=Acme\, \"The\" Inc. \+ Co #1,C=DE`: false,
	} {
		if got := (&keystone.ClientSettings{TLSSubjectDN: s}).NamedIn(cert); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	plain := subject(t, pkix.RDNSequence{{attribute("O", "Example")}, {attribute("CN", "a,O=Example")}})
	for s, want := range map[string]bool{`CN=a\,O\=Example,O=Example`: true, `CN=a,O=Example,O=Example`: false, `CN=a,O=Example`: false} {
		if got := (&keystone.ClientSettings{TLSSubjectDN: s}).NamedIn(plain); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	mail := subject(t, pkix.RDNSequence{{attribute("DC", "example")}, {attribute("ORG", "PSDDE-1")}, {attribute("E", "a@b.example")}})
	if s := "emailAddress=a@b.example,organizationIdentifier=PSDDE-1,dc=example"; !(&keystone.ClientSettings{TLSSubjectDN: s}).NamedIn(mail) {
		t.Error(s)
	}
	for _, odd := range []*x509.Certificate{{}, {RawSubject: []byte{0x30, 0x00}}, {RawSubject: []byte{1, 2, 3}}, subject(t, pkix.RDNSequence{{attribute("CN", 7)}})} {
		if (&keystone.ClientSettings{TLSSubjectDN: "CN=7"}).NamedIn(odd) || (&keystone.ClientSettings{}).NamedIn(odd) {
			t.Errorf("%x has a name", odd.RawSubject)
		}
	}
}

// FuzzSubjectDN: no text makes it panic, and none is the name of a certificate
// without a subject.
func FuzzSubjectDN(f *testing.F) {
	for _, s := range []string{"CN=a", `CN=a\,b+OU=c,O=d`, "2.5.4.3=#0c0161", "CN=#", "=", "CN=a,", `CN=\`, "1.=x", "CN= "} {
		f.Add(s)
	}
	empty := subject(f, pkix.RDNSequence{})
	f.Fuzz(func(t *testing.T, s string) {
		c := keystone.Client{Name: "x", Kind: keystone.ClientService, ClientSettings: keystone.ClientSettings{AuthMethod: keystone.AuthTLS, TLSSubjectDN: s}}.WithDefaults()
		_ = c.Validate()
		if c.NamedIn(empty) {
			t.Errorf("%q", s)
		}
	})
}

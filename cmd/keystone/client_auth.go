package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

// clientAuthFlags say how a client proves itself.
type clientAuthFlags struct {
	method, alg, audience, jwksFile, jwksURI string

	subjectDN, sanDNS, sanURI, sanIP, sanEmail string // of its certificate

	jwks json.RawMessage // the content of jwksFile
}

func (f *clientAuthFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.method, "auth-method", "", "how it proves itself: client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth, self_signed_tls_client_auth or none; empty: basic or post for service and web, none for spa and native")
	c.Flags().StringVar(&f.alg, "auth-signing-alg", "", "the only algorithm of its assertions; empty: any that is served")
	c.Flags().StringVar(&f.audience, "assertion-audience", "", "issuer, or legacy: takes assertions for an endpoint too; only for programs that cannot do better")
	c.Flags().StringVar(&f.jwksFile, "jwks-file", "", "file with its public keys (JSON Web Key Set), - for standard input; empty: none")
	c.Flags().StringVar(&f.jwksURI, "jwks-uri", "", "https address of its public keys, instead of --jwks-file")
	c.Flags().StringVar(&f.subjectDN, "tls-subject-dn", "", "for tls_client_auth: the subject of its certificate, as RFC 4514 writes it (CN=billing,O=Example); this or one of the --tls-san- flags")
	c.Flags().StringVar(&f.sanDNS, "tls-san-dns", "", "for tls_client_auth: the host name in its certificate")
	c.Flags().StringVar(&f.sanURI, "tls-san-uri", "", "for tls_client_auth: the URI in its certificate, such as a SPIFFE id")
	c.Flags().StringVar(&f.sanIP, "tls-san-ip", "", "for tls_client_auth: the IP address in its certificate")
	c.Flags().StringVar(&f.sanEmail, "tls-san-email", "", "for tls_client_auth: the e-mail address in its certificate")
}

const maxJWKSFile = 64 << 10

// read reads the file of keys.
func (f *clientAuthFlags) read(stdin io.Reader) error {
	if f.jwksFile == "" {
		return nil
	}
	in := stdin
	if f.jwksFile != "-" {
		file, err := os.Open(f.jwksFile)
		if err != nil {
			return fmt.Errorf("--jwks-file: %w", err)
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxJWKSFile+1))
	if err != nil {
		return fmt.Errorf("--jwks-file: %w", err)
	}
	if len(text) > maxJWKSFile || !json.Valid(text) {
		return errors.New("--jwks-file: this is not a JSON Web Key Set of at most 64 KiB")
	}
	f.jwks = text
	return nil
}

func (f *clientAuthFlags) apply(c *cobra.Command, client *keystone.Client) {
	put(c, "auth-method", &client.AuthMethod, f.method)
	put(c, "auth-signing-alg", &client.AuthSigningAlg, f.alg)
	put(c, "assertion-audience", &client.AssertionAudience, f.audience)
	put(c, "jwks-file", &client.JWKS, f.jwks)
	put(c, "jwks-uri", &client.JWKSURI, f.jwksURI)
	put(c, "tls-subject-dn", &client.TLSSubjectDN, f.subjectDN)
	put(c, "tls-san-dns", &client.TLSSANDNS, f.sanDNS)
	put(c, "tls-san-uri", &client.TLSSANURI, f.sanURI)
	put(c, "tls-san-ip", &client.TLSSANIP, f.sanIP)
	put(c, "tls-san-email", &client.TLSSANEmail, f.sanEmail)
}

// clientAuth is the method in a table.
func clientAuth(c clientView) string {
	method := c.AuthMethod
	if method == "" {
		method = "by its kind"
	}
	switch {
	case c.JWKSURI != "":
		method += ", keys at " + c.JWKSURI
	case len(c.JWKS) > 0:
		method += ", keys registered"
	}
	if name := cmp.Or(c.TLSSubjectDN, c.TLSSANDNS, c.TLSSANURI, c.TLSSANIP, c.TLSSANEmail); name != "" {
		method += ", certificate of " + name
	}
	if c.TakesLegacyAudience() {
		method += ", LEGACY audience"
	}
	return method
}

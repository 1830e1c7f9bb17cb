package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

// clientSigningFlags say how a client's requests and the answers to it are signed.
type clientSigningFlags struct {
	idTokenEnc, userinfoEnc, subjectType, sector, profile, initiate, requestAlg, responseAlg, idTokenAlg, userinfoAlg, introspectionAlg string
	requestURIs                                                                                                                         []string
	requireSigned                                                                                                                       bool
}

func (f *clientSigningFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.profile, "profile", "", "oauth21, fapi2, fapi2-message-signing, or oidc-legacy: lets old programs off some rules; empty: oauth21")
	c.Flags().StringVar(&f.initiate, "initiate-login-uri", "", "https address at which it begins a sign-in when somebody comes from /oauth2/initiate; empty: none")
	c.Flags().StringVar(&f.subjectType, "subject-type", "", "pairwise: a sub of its own for each user; public or empty: the user's id")
	c.Flags().StringVar(&f.sector, "sector-identifier-uri", "", "https address whose host stands for all clients that share their pairwise sub")
	c.Flags().StringVar(&f.idTokenEnc, "id-token-encryption-alg", "", "encrypts its ID tokens to one of its keys: RSA-OAEP-256, ECDH-ES or ECDH-ES+A256KW; empty: not encrypted")
	c.Flags().StringVar(&f.userinfoEnc, "userinfo-encryption-alg", "", "the same for userinfo answers, which are then signed too")
	c.Flags().StringArrayVar(&f.requestURIs, "request-uri", nil, "an address from which its request objects are fetched (repeatable)")
	c.Flags().StringVar(&f.requestAlg, "request-object-signing-alg", "", "the only algorithm of its request objects (RFC 9101); empty: any that is served")
	c.Flags().BoolVar(&f.requireSigned, "require-signed-request", false, "refuses authorization requests that are not signed with its keys (RFC 9101)")
	c.Flags().StringVar(&f.responseAlg, "authorization-response-alg", "", "signs authorization responses of response_mode jwt (JARM): PS256, ES256, EdDSA or RS256; empty: RS256")
	c.Flags().StringVar(&f.idTokenAlg, "id-token-alg", "", "signs its ID tokens and logout tokens: PS256, ES256, EdDSA or RS256; empty: RS256")
	c.Flags().StringVar(&f.userinfoAlg, "userinfo-alg", "", "makes userinfo answers signed JWTs; empty: plain JSON")
	c.Flags().StringVar(&f.introspectionAlg, "introspection-alg", "", "signs introspection answers where it asks for JWTs (RFC 9701); empty: RS256")
}

func (f *clientSigningFlags) apply(c *cobra.Command, client *keystone.Client) {
	put(c, "profile", &client.Profile, f.profile)
	put(c, "initiate-login-uri", &client.InitiateLoginURI, f.initiate)
	put(c, "subject-type", &client.SubjectType, f.subjectType)
	put(c, "sector-identifier-uri", &client.SectorURI, f.sector)
	put(c, "id-token-encryption-alg", &client.IDTokenEncAlg, f.idTokenEnc)
	put(c, "userinfo-encryption-alg", &client.UserinfoEncAlg, f.userinfoEnc)
	put(c, "request-uri", &client.RequestURIs, withoutEmpty(f.requestURIs))
	put(c, "request-object-signing-alg", &client.RequestObjectAlg, f.requestAlg)
	put(c, "require-signed-request", &client.RequireSignedRequest, f.requireSigned)
	put(c, "authorization-response-alg", &client.ResponseAlg, f.responseAlg)
	put(c, "id-token-alg", &client.IDTokenAlg, f.idTokenAlg)
	put(c, "userinfo-alg", &client.UserinfoAlg, f.userinfoAlg)
	put(c, "introspection-alg", &client.IntrospectionAlg, f.introspectionAlg)
}

// publishKeys makes the keys that answers to the client are signed with, so that
// they are published before their first use; before the client is written, so that
// its secret is shown whatever becomes of them. What is wrong with it the store says.
func (d database) publishKeys(ctx context.Context, c keystone.Client) error {
	if c = c.WithDefaults(); c.Validate() != nil || len(c.AnswerAlgs()) == 0 {
		return nil
	}
	ring, err := d.ring(ctx)
	if err != nil {
		return err
	}
	return ring.Prepare(ctx, c.AnswerAlgs()...)
}

// clientSigning says which algorithms the client registered.
func clientSigning(c clientView) string {
	text := ""
	for _, one := range []struct{ what, alg string }{
		{"ID tokens", c.IDTokenAlg}, {"userinfo", c.UserinfoAlg}, {"introspection", c.IntrospectionAlg}, {"authorization responses", c.ResponseAlg}, {"its requests", c.RequestObjectAlg},
	} {
		if one.alg != "" {
			text += one.what + " " + one.alg + ", "
		}
	}
	if c.IDTokenEncAlg != "" {
		text += "ID tokens encrypted by " + c.IDTokenEncAlg + ", "
	}
	if c.UserinfoEncAlg != "" {
		text += "userinfo encrypted by " + c.UserinfoEncAlg + ", "
	}
	return text + "else RS256"
}

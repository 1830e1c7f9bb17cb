package oauth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/jose"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 section 2.2

	singleUseAssertion = "client_assertion"

	assertionLife = time.Hour        // the furthest exp: as long is its jti kept
	aheadMost     = 30 * time.Second // how far iat and nbf may lie ahead; FAPI 2.0 section 5.3.2.1 takes 10 s and refuses 60 s
	clockLeeway   = 10 * time.Second // for exp
	maxJTI        = 512
)

var errAssertionType = keystone.Fail(keystone.Unauthenticated, "Send client_assertion together with client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer (RFC 7523 section 2.2).").WithCode("invalid_client")

// assertionTypes are the typ of a client assertion: that of RFC 10070, and what
// programs have sent before it. Access tokens, DPoP proofs, request objects and
// others name themselves, and are none.
var assertionTypes = []string{"client-authentication+jwt", "jwt", ""}

// withAssertion takes the client's name from the assertion where the request does
// not say it (RFC 7521 section 4.2). Nothing is proved yet.
func (c credentials) withAssertion(kind string) (credentials, error) {
	if kind != assertionType || c.assertion == "" {
		return c, errAssertionType
	}
	if c.id == "" {
		t, err := jose.Parse(c.assertion, assertionAlgs(), assertionTypes...)
		if err != nil {
			return c, errClient
		}
		c.id = t.Claims.Text("sub")
	}
	return c, nil
}

// provesKeyJWT checks an assertion signed with a key of the client, or one that
// says what the client is by the word of its platform.
func (s *Slice) provesKeyJWT(ctx context.Context, c *keystone.Client, cred credentials) (bool, error) {
	if len(c.Workloads) > 0 {
		algs := keystone.AssertionAlgs()
		if c.AuthSigningAlg != "" {
			algs = []string{c.AuthSigningAlg}
		}
		if t, err := jose.Parse(cred.assertion, c.Rules().Allows(algs), workloadTypes...); err == nil && t.Claims.Text("iss") != c.ID {
			return s.provesWorkload(ctx, c, t)
		}
	}
	return s.provesAssertion(ctx, c, cred, keystone.AssertionAlgs(), func(t *jose.Token) (bool, error) { return s.Keys.Verify(ctx, c, t) })
}

// provesSecretJWT checks an assertion signed with a secret of the client.
func (s *Slice) provesSecretJWT(ctx context.Context, c *keystone.Client, cred credentials) (bool, error) {
	return s.provesAssertion(ctx, c, cred, []string{keystone.HS256}, func(t *jose.Token) (bool, error) {
		secrets, err := s.Store.AssertionSecrets(ctx, c.ID)
		return err == nil && t.VerifiedBySecret(secrets), err
	})
}

// provesAssertion holds an assertion to RFC 7523 section 3 and RFC 10070: by the
// client, of itself, to this server alone, for a short time, once. What is cheap is
// checked first; the jti is used up last, by the owner of the key alone.
func (s *Slice) provesAssertion(ctx context.Context, c *keystone.Client, cred credentials, algs []string, signed func(*jose.Token) (bool, error)) (bool, error) {
	if c.AuthSigningAlg != "" {
		algs = []string{c.AuthSigningAlg}
	}
	t, err := jose.Parse(cred.assertion, c.Rules().Allows(algs), assertionTypes...)
	if err != nil || t.Claims.Text("iss") != c.ID || t.Claims.Text("sub") != c.ID || !s.meant(ctx, c, t.Claims) {
		return false, nil
	}
	if t.Claims.Has("response_type") || t.Claims.Has("redirect_uri") {
		return false, nil // a request object is signed with the same key (RFC 9101 section 10.8)
	}
	now := s.Store.Now()
	exp, ok := inTime(t.Claims, now, assertionLife)
	jti := t.Claims.Text("jti")
	if !ok || jti == "" || len(jti) > maxJTI {
		return false, nil
	}
	if ok, err := signed(t); err != nil || !ok {
		return false, err
	}
	return s.Store.FirstSeen(ctx, singleUseAssertion, c.ID+"\x00"+jti, exp.Add(2*clockLeeway))
}

// inTime checks exp, which must be there and no further away than life, and iat
// and nbf where they are (RFC 7519 section 4.1).
func inTime(claims jose.Claims, now time.Time, life time.Duration) (exp time.Time, ok bool) {
	exp, ok = claims.Time("exp")
	if !ok || !now.Before(exp.Add(clockLeeway)) || exp.After(now.Add(life+clockLeeway)) {
		return exp, false
	}
	for _, name := range []string{"iat", "nbf"} {
		if !claims.Has(name) {
			continue
		}
		if at, ok := claims.Time(name); !ok || at.After(now.Add(aheadMost)) {
			return exp, false
		}
	}
	return exp, true
}

// meant reports whether an assertion is meant for this server: its aud is the
// issuer, as one string (RFC 10070: an assertion that names more could be used at
// each of them). A client with assertion_audience=legacy may also name the token
// endpoint or the endpoint that is called, and write a list.
func (s *Slice) meant(ctx context.Context, c *keystone.Client, claims jose.Claims) bool {
	issuer := s.Issuer.Options.Issuer
	list, single := claims.Texts("aud")
	if !c.TakesLegacyAudience() {
		return single && list[0] == issuer
	}
	_, path, _ := strings.Cut(httpio.ExchangeOf(ctx).Route, " ")
	good := []string{issuer, issuer + "/", issuer + "/oauth2/token", issuer + path}
	if s.TLS.URL != "" {
		good = append(good, s.TLS.URL+"/oauth2/token", s.TLS.URL+path) // the same endpoints under their other name (RFC 8705 section 5)
	}
	for _, good := range good {
		if slices.Contains(list, good) {
			return true
		}
	}
	return false
}

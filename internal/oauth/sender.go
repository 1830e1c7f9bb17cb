package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/token"
)

// Shown returns what a request shows of keys that its sender holds. Nonces for
// the next proof go into the answer (RFC 9449 section 8).
func Shown(w http.ResponseWriter, r *http.Request) token.Shown {
	return token.Shown{
		Proofs: r.Header["Dpop"], Method: r.Method, Path: r.URL.EscapedPath(), X5T: thumbprint(r.Context()),
		Nonce: func(nonce string) { w.Header()["Dpop-Nonce"] = []string{nonce} },
	}
}

// schemeOf parts an Authorization header into the scheme and what follows it after one
// space or more (RFC 9110 section 11.4).
func schemeOf(header string) (scheme, rest string) {
	scheme, rest, _ = strings.Cut(header, " ")
	return scheme, strings.TrimLeft(rest, " ")
}

// Presented returns the access token of an Authorization header with what the
// request shows beside it: the scheme in any case, then one word (RFC 6750 section
// 2.1, RFC 9449 section 7.1).
func Presented(w http.ResponseWriter, r *http.Request, header string) (p token.Presented, ok bool) {
	scheme, raw := schemeOf(header)
	p.DPoP = strings.EqualFold(scheme, "DPoP")
	if raw == "" || !p.DPoP && !strings.EqualFold(scheme, "Bearer") {
		return p, false
	}
	if strings.IndexByte(raw, ' ') >= 0 || strings.IndexByte(raw, '\t') >= 0 { // net/http lets no other control pass, and no token is good that has anything else
		return p, false
	}
	p.Token = raw
	if p.Shown.X5T = thumbprint(r.Context()); p.DPoP { // a bearer token has no proof beside it, and is the usual case
		p.Shown = Shown(w, r)
	}
	return p, true
}

// ErrTokenInAddress answers an access token in the query (RFC 9700 section 4.3.2).
var ErrTokenInAddress = keystone.Fail(keystone.Invalid, "Send the access token in the Authorization header, never in the address. This one is known to logs now: revoke it.")

// TokenInAddress reports whether a request has its access token where no token
// belongs.
func TokenInAddress(r *http.Request) bool {
	return r.URL.RawQuery != "" && strings.Contains(r.URL.RawQuery, "access_token")
}

// Challenge writes the challenge of a refused token that came, or should have
// come, under the scheme DPoP (RFC 9449 section 7.1). Others are left to
// httpio.WriteError.
func Challenge(ctx context.Context, h http.Header, p token.Presented, err error) {
	if keystone.KindOf(err) != keystone.Unauthenticated || !p.DPoP && !errors.Is(err, token.ErrBound) {
		return
	}
	code := "invalid_token"
	if e := (*keystone.Error)(nil); errors.As(err, &e) && e.Code != "" {
		code = e.Code
	}
	httpio.Challenge(h, httpio.ExchangeOf(ctx).Challenges.DPoP(strings.Join(token.ProofAlgorithms, " "), code))
}

// sender puts the keys that a token request shows into its context, where the
// door finds them whatever the grant (RFC 9449 section 5).
func (s *Slice) sender(w http.ResponseWriter, r *http.Request, c *keystone.Client) (context.Context, error) {
	keystone.Checking(r.Context(), "DPoP proof")
	shown := Shown(w, r)
	sender, err := s.Proofs.Sender(shown, "", c.DPoPNonce)
	if err != nil {
		return nil, err
	}
	return token.WithSender(r.Context(), sender), nil
}

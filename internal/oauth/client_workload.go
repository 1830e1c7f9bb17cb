package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/jose"
)

// workloadLife is the furthest exp of a platform's token. Kubernetes gives out
// tokens of an hour unless it is told otherwise.
const workloadLife = 24 * time.Hour

// workloadTypes are the typ of tokens that platforms give to their programs. Access
// tokens and other things that name themselves are none.
var workloadTypes = []string{"jwt", "jose", ""}

// provesWorkload lets a client in by a token that its platform gave it: of the
// issuer and the subject that are registered, meant for this server alone. It may
// be shown more than once: a platform gives a program the same token until it is
// about to expire, so that its jti says nothing. That it is short-lived and
// reaches nobody else is what protects it.
func (s *Slice) provesWorkload(ctx context.Context, c *keystone.Client, t *jose.Token) (bool, error) {
	issuer, subject := t.Claims.Text("iss"), t.Claims.Text("sub")
	w, known := c.Workload(issuer, subject)
	audiences, _ := t.Claims.Texts("aud")
	_, timely := inTime(t.Claims, s.Store.Now(), workloadLife)
	if !known || len(audiences) != 1 || audiences[0] != cmp.Or(w.Audience, s.Issuer.Options.Issuer) || !timely {
		keystone.Fact(ctx, "issuer of the assertion", issuer)
		keystone.Fact(ctx, "subject of the assertion", subject)
		keystone.Fact(ctx, "audience of the assertion", strings.Join(audiences, " "))
		return false, nil
	}
	return s.Keys.VerifyIssued(ctx, w.Issuer, w.JWKSURI, t)
}

// VerifyIssued is Verify with the keys of another issuer: at the address that is
// registered for it, else at the one that its metadata names (OpenID Connect
// Discovery section 4). Metadata that is another issuer's names nothing.
func (s *KeySource) VerifyIssued(ctx context.Context, issuer, jwksURI string, t *jose.Token) (bool, error) {
	if jwksURI == "" {
		doc, err := s.fetch.Get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
		if err != nil {
			return false, ignoreFetchFailure(err)
		}
		var metadata struct {
			Issuer  string `json:"issuer"`
			JWKSURI string `json:"jwks_uri"`
		}
		if json.Unmarshal(doc.Body, &metadata) != nil || metadata.Issuer != issuer || keystone.OutboundURLProblem(metadata.JWKSURI) != "" {
			keystone.Fact(ctx, "metadata", "that of the issuer cannot be read, is another's, or names no https jwks_uri")
			return false, nil
		}
		jwksURI = metadata.JWKSURI
	}
	return s.VerifyAt(ctx, jwksURI, t)
}

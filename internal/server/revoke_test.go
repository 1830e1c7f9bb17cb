package server

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// TestRevokeOpaque: a service's opaque token ends by its own revocation and by nobody
// else's, whether its id follows from it or, as in tokens of earlier releases, does not.
func TestRevokeOpaque(t *testing.T) {
	s, _ := boot(t, off)
	ctx := context.Background()
	const form = "Content-Type: application/x-www-form-urlencoded"
	client := func(name string) (id, secret string) {
		c, secret, err := s.parts.Store.CreateClient(ctx, keystone.Operator("test"), keystone.Client{
			Name: name, Kind: keystone.ClientService, Enabled: true, Scopes: []string{keystone.UsersRead}, AccessTokenFormat: keystone.FormatOpaque,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c.ID, secret
	}
	id, pass := client("shop")
	otherID, otherPass := client("other")
	fresh, freshID := token.NewOpaque(s.parts.Store.Now())
	older, olderID := secret.New(secret.AccessToken), keystone.NewID(s.parts.Store.Now())
	for raw, jti := range map[string]string{fresh: freshID, older: olderID} {
		now := s.parts.Store.Now()
		if err := s.parts.Store.SaveAccessToken(ctx, keystone.Operator("test"), secret.Hash(raw), store.AccessToken{
			JTI: jti, ClientID: id, Scopes: []string{keystone.UsersRead}, Audiences: []string{s.config.Issuer}, IssuedAt: now, ExpiresAt: now.Add(time.Hour),
		}); err != nil {
			t.Fatal(err)
		}
		active := func() bool {
			w := send(s, "POST", "/oauth2/introspect", url.Values{"token": {raw}, "client_id": {id}, "client_secret": {pass}}.Encode(), form)
			return strings.Contains(w.Body.String(), `"active":true`)
		}
		revoke := func(id, pass string) {
			t.Helper()
			if w := send(s, "POST", "/oauth2/revoke", url.Values{"token": {raw}, "client_id": {id}, "client_secret": {pass}}.Encode(), form); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		if revoke(otherID, otherPass); !active() {
			t.Error("another client's revocation ended it")
		}
		if revoke(id, pass); active() {
			t.Error("it is active after it was revoked")
		}
		revoke(id, pass) // again: as if it had done something (RFC 7009 section 2.2)
		rows, err := s.parts.Store.AuditEvents(ctx, keystone.AuditFilter{Action: keystone.ActTokenRevoked, Target: id}, keystone.Page{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range rows.Items {
			if e.Detail["jti"] == jti {
				if n++; e.ActorKind != keystone.ActorClient || e.ActorID != id {
					t.Errorf("%s %s revoked it", e.ActorKind, e.ActorID)
				}
			}
		}
		if n != 1 {
			t.Errorf("%d rows of the trail", n)
		}
	}
}

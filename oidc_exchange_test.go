package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

const tokenTypeAccess = "urn:ietf:params:oauth:token-type:access_token"

// exchangeStage is an application whose people's tokens a service exchanges.
type exchangeStage struct {
	t    *testing.T
	s    *keystonetest.Server
	jane keystonetest.User
	app  keystonetest.Client
	b    *browser
}

func newExchangeStage(t *testing.T, s *keystonetest.Server) exchangeStage {
	t.Helper()
	s.CreateScope("orders:read", "orders:write", "stock:read")
	s.CreateRole("clerk", "orders:read", "orders:write")
	app := s.CreateClient(keystone.Client{Name: "Shop", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Audiences: []string{"https://orders.example"},
		Scopes: []string{"openid", "offline_access", "orders:read", "orders:write", "stock:read"}})
	st := exchangeStage{t, s, s.CreateUser("jane", "clerk"), app, newBrowser(t, s)}
	st.b.open(authorizeURL(s, app, "scope", "openid offline_access orders:read orders:write", "resource", "https://orders.example"))
	st.b.signIn(st.jane)
	st.b.submit(map[string]string{"decision": "allow"})
	st.b.answer()
	return st
}

// tokens are of Jane for the application, for the resource orders.
func (st exchangeStage) tokens(scope string) map[string]any {
	st.t.Helper()
	status, tokens := redeem(st.t, st.s, st.app, st.b.code(st.app, "scope", scope, "resource", "https://orders.example"))
	if status != http.StatusOK {
		st.t.Fatalf("%d %v", status, tokens)
	}
	return tokens
}

func (st exchangeStage) access(scope string) string {
	st.t.Helper()
	return st.tokens(scope)["access_token"].(string)
}

// service is a client that may exchange, under the rules.
func (st exchangeStage) service(c keystone.Client, rules ...keystone.ExchangeRule) keystonetest.Client {
	c.Kind, c.TokenExchange = keystone.ClientService, rules
	c.Grants = append(c.Grants, keystone.GrantTokenExchange, keystone.GrantClientCredentials)
	if c.Audiences == nil {
		c.Audiences = []string{"https://orders.example", "https://stock.example"}
	}
	if c.Scopes == nil {
		c.Scopes = []string{"orders:read", "stock:read"}
	}
	c.IntrospectionAudiences = c.Audiences
	return st.s.CreateClient(c)
}

func (st exchangeStage) exchange(c keystonetest.Client, subject string, pairs ...string) (int, map[string]any) {
	st.t.Helper()
	form := url.Values{"grant_type": {keystone.GrantTokenExchange}, "subject_token": {subject}, "subject_token_type": {tokenTypeAccess}, "client_id": {c.ID}, "client_secret": {c.Secret}}
	for i := 0; i < len(pairs); i += 2 {
		form.Del(pairs[i])
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	return postForm(st.t, st.s, "/oauth2/token", form)
}

func (st exchangeStage) introspect(c keystonetest.Client, raw any) map[string]any {
	st.t.Helper()
	_, answer := postForm(st.t, st.s, "/oauth2/introspect", url.Values{"token": {fmt.Sprint(raw)}, "client_id": {c.ID}, "client_secret": {c.Secret}})
	return answer
}

// TestTokenExchange: delegation names who acts, impersonation does not, and the
// new token is no more than the old one in any respect (F6).
func TestTokenExchange(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		st := newExchangeStage(t, s)
		for _, format := range []string{keystone.FormatJWT, keystone.FormatOpaque} {
			svc := st.service(keystone.Client{AccessTokenFormat: format, AccessTokenTTL: time.Hour}, keystone.ExchangeRule{ClientID: st.app.ID, Mode: keystone.ExchangeDelegation})
			subject := st.access("openid orders:read orders:write")
			s.Clock.Move(5 * time.Minute)
			status, got := st.exchange(svc, subject)
			if status != http.StatusOK || got["issued_token_type"] != tokenTypeAccess || got["token_type"] != "Bearer" || got["refresh_token"] != nil || got["id_token"] != nil || got["scope"] != "orders:read" {
				t.Fatalf("%s: %d %v", format, status, got)
			}
			if left := got["expires_in"].(float64); left > 600 || left < 590 {
				t.Errorf("%s: it lives %v s, the old one 600", format, left)
			}
			facts := st.introspect(svc, got["access_token"])
			act, _ := facts["act"].(map[string]any)
			if facts["active"] != true || facts["sub"] != st.jane.ID || facts["client_id"] != svc.ID || fmt.Sprint(facts["aud"]) != "[https://orders.example]" || facts["username"] != "jane" || act["sub"] != svc.ID || act["act"] != nil {
				t.Errorf("%s: %v", format, facts)
			}
			if format == keystone.FormatJWT {
				if claims := idClaims(t, got["access_token"]); claims["act"].(map[string]any)["sub"] != svc.ID || claims["sub"] != st.jane.ID {
					t.Errorf("%v", claims)
				}
			}
			// It opens nothing here: the old one did not either (F4).
			if status := s.Call(http.MethodGet, "/api/v1/users/me", got["access_token"].(string), nil, nil); status != http.StatusUnauthorized {
				t.Errorf("%s: at Keystone's own API it answers %d", format, status)
			}
			// With an actor token: the person or service of that token acts.
			status, got = st.exchange(svc, subject, "actor_token", s.ServiceTokenFor(svc, "https://stock.example"), "actor_token_type", tokenTypeAccess, "scope", "orders:read")
			if act, _ = st.introspect(svc, got["access_token"])["act"].(map[string]any); status != http.StatusOK || act["sub"] != svc.ID {
				t.Errorf("%s: %d %v", format, status, act)
			}
		}
		other := st.service(keystone.Client{}, keystone.ExchangeRule{ClientID: st.app.ID, Mode: keystone.ExchangeImpersonation, Audiences: []string{"https://stock.example"}, Scopes: []string{"orders:read"}})
		status, got := st.exchange(other, st.access("orders:read orders:write"))
		facts := st.introspect(other, got["access_token"])
		if status != http.StatusOK || facts["act"] != nil || fmt.Sprint(facts["aud"]) != "[https://stock.example]" || facts["scope"] != "orders:read" {
			t.Errorf("impersonation: %d %v", status, facts)
		}
		var trail struct {
			Items []struct {
				ActorID string         `json:"actor_id"`
				Detail  map[string]any `json:"detail"`
			} `json:"items"`
		}
		s.Call(http.MethodGet, "/api/v1/admin/audit?action=token.exchanged", s.Admin(), nil, &trail)
		if len(trail.Items) != 5 || trail.Items[0].ActorID != st.jane.ID || trail.Items[0].Detail["mode"] != "impersonation" || trail.Items[0].Detail["subject_client"] != st.app.ID {
			t.Errorf("the trail: %+v", trail.Items)
		}
	})
}

// TestF5ExchangeRefused: what does not hold any more, is somebody else's, or has
// no rule gives nothing.
func TestF5ExchangeRefused(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		st := newExchangeStage(t, s)
		rule := keystone.ExchangeRule{ClientID: st.app.ID, Mode: keystone.ExchangeDelegation}
		svc, without := st.service(keystone.Client{}, rule), st.service(keystone.Client{})
		only := st.service(keystone.Client{}, keystone.ExchangeRule{ClientID: st.app.ID, Mode: keystone.ExchangeImpersonation})
		unregistered := s.CreateClient(keystone.Client{Scopes: []string{"orders:read"}, ClientSettings: keystone.ClientSettings{TokenExchange: []keystone.ExchangeRule{rule}}})
		subject := st.access("openid orders:read")
		ids := st.tokens("openid orders:read offline_access")
		actor := func(c keystonetest.Client) []string {
			return []string{"actor_token", s.ServiceTokenFor(c, "https://stock.example"), "actor_token_type", tokenTypeAccess}
		}
		for _, test := range []struct {
			name   string
			client keystonetest.Client
			change []string
			want   string
		}{
			{"no rule", without, nil, "unauthorized_client"},
			{"grant type not registered", unregistered, nil, "unauthorized_client"},
			{"F5 actor without a rule of delegation", only, actor(only), "unauthorized_client"},
			{"F5 actor token of another client", svc, actor(without), "invalid_grant"},
			{"actor token of nobody", svc, []string{"actor_token", "x", "actor_token_type", tokenTypeAccess}, "invalid_grant"},
			{"actor token without its type", svc, actor(svc)[:2], "invalid_request"},
			{"no subject token", svc, []string{"subject_token", ""}, "invalid_request"},
			{"no type", svc, []string{"subject_token_type", ""}, "invalid_request"},
			{"unknown type", svc, []string{"subject_token_type", "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"},
			{"ID token as access token", svc, []string{"subject_token", ids["id_token"].(string)}, "invalid_grant"},
			{"refresh token as access token", svc, []string{"subject_token", ids["refresh_token"].(string)}, "invalid_grant"},
			{"an ID token is wanted", svc, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"},
			{"garbage", svc, []string{"subject_token", strings.Repeat("A", 9000)}, "invalid_grant"},
			{"one character off", svc, []string{"subject_token", subject[:len(subject)-2] + "AA"}, "invalid_grant"},
			{"a service's own token", svc, []string{"subject_token", s.ServiceTokenFor(svc, "https://stock.example")}, "invalid_grant"},
			{"F6 a scope that the old one lacks", svc, []string{"scope", "stock:read"}, "invalid_scope"},
			{"F6 a scope that the client lacks", svc, []string{"scope", "openid"}, "invalid_scope"},
			{"F6 an audience that the old one lacks", svc, []string{"audience", "https://stock.example"}, "invalid_target"},
			{"F6 Keystone itself", svc, []string{"resource", s.Issuer}, "invalid_target"},
			{"wrong secret", keystonetest.Client{ID: svc.ID, Secret: "x"}, nil, "invalid_client"},
		} {
			if status, got := st.exchange(test.client, subject, test.change...); got["error"] != test.want || got["access_token"] != nil || status != 400 && status != 401 {
				t.Errorf("%s: %d %v", test.name, status, got)
			}
		}
		// A public client has nothing to prove itself with.
		if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), map[string]any{"name": "x", "kind": "spa", "grants": []string{keystone.GrantTokenExchange}}, nil); status != http.StatusBadRequest {
			t.Errorf("a public client is registered for it: %d", status)
		}
		for name, rules := range map[string]any{
			"no client": []any{map[string]any{"client_id": "x", "mode": "delegation"}}, "no mode": []any{map[string]any{"client_id": svc.ID, "mode": "all"}},
			"twice": []any{rule, rule}, "bad audience": []any{map[string]any{"client_id": svc.ID, "mode": "delegation", "audiences": []string{"a b"}}},
		} {
			a := as(s, s.Admin()).json(t, http.MethodPatch, "/api/v1/admin/clients/"+svc.ID, map[string]any{"token_exchange": rules})
			if a.status != http.StatusBadRequest || strings.Contains(a.body, "no such field") || !strings.Contains(a.body, "token_exchange") {
				t.Errorf("rule with %s: %d %s", name, a.status, a.body)
			}
		}
	})
}

// TestExchangeEnds: everything that ends the old token refuses its exchange, and
// everything that ends its grant ends what came of it.
func TestExchangeEnds(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		st := newExchangeStage(t, s)
		svc := st.service(keystone.Client{}, keystone.ExchangeRule{ClientID: st.app.ID, Mode: keystone.ExchangeDelegation})
		change := func(path string, body map[string]any) {
			t.Helper()
			if status := s.Call(http.MethodPatch, path, s.Admin(), body, nil); status != http.StatusOK {
				t.Fatalf("%s: %d", path, status)
			}
		}
		patch := func(path string, enabled bool) { change(path, map[string]any{"enabled": enabled}) }
		for _, test := range []struct {
			name      string
			end, undo func(tokens map[string]any)
		}{
			{"refresh token revoked", func(tokens map[string]any) {
				postForm(t, s, "/oauth2/revoke", url.Values{"token": {tokens["refresh_token"].(string)}, "client_id": {st.app.ID}, "client_secret": {st.app.Secret}})
			}, nil},
			{"the exchanging client's rule taken away", func(map[string]any) {
				change("/api/v1/admin/clients/"+svc.ID, map[string]any{"token_exchange": []any{}})
			}, func(map[string]any) {
				change("/api/v1/admin/clients/"+svc.ID, map[string]any{"token_exchange": []any{map[string]any{"client_id": st.app.ID, "mode": "delegation"}}})
			}},
			{"first client disabled", func(map[string]any) { patch("/api/v1/admin/clients/"+st.app.ID, false) }, func(map[string]any) { patch("/api/v1/admin/clients/"+st.app.ID, true) }},
			{"exchanging client disabled", func(map[string]any) { patch("/api/v1/admin/clients/"+svc.ID, false) }, func(map[string]any) { patch("/api/v1/admin/clients/"+svc.ID, true) }},
			{"consent taken back", func(map[string]any) {
				s.Call(http.MethodDelete, "/api/v1/users/me/apps/"+st.app.ID, s.SignIn(st.jane).AccessToken, nil, nil)
			}, func(map[string]any) {
				st.b.open(authorizeURL(s, st.app, "scope", "openid offline_access orders:read orders:write", "resource", "https://orders.example"))
				st.b.submit(map[string]string{"decision": "allow"})
			}},
			{"role taken away", func(map[string]any) {
				s.Call(http.MethodPut, "/api/v1/users/"+st.jane.ID+"/roles", s.Admin(), map[string]any{"roles": []string{}}, nil)
			}, func(map[string]any) {
				s.Call(http.MethodPut, "/api/v1/users/"+st.jane.ID+"/roles", s.Admin(), map[string]any{"roles": []string{"clerk"}}, nil)
			}},
			{"session ended", func(map[string]any) {
				s.Call(http.MethodDelete, "/api/v1/users/"+st.jane.ID+"/sessions", s.Admin(), nil, nil)
			}, func(map[string]any) {
				st.b.open(authorizeURL(s, st.app))
				st.b.signIn(st.jane)
			}},
			{"user disabled", func(map[string]any) { patch("/api/v1/users/"+st.jane.ID, false) }, nil},
		} {
			tokens := st.tokens("openid offline_access orders:read")
			status, got := st.exchange(svc, tokens["access_token"].(string))
			if status != http.StatusOK {
				t.Fatalf("%s: before: %d %v", test.name, status, got)
			}
			test.end(tokens)
			s.Clock.Move(2 * time.Second)
			if status, again := st.exchange(svc, tokens["access_token"].(string)); status == http.StatusOK && again["scope"] != "" {
				t.Errorf("%s: exchanged all the same: %v", test.name, again)
			}
			facts := st.introspect(st.service(keystone.Client{}), got["access_token"])
			if test.name == "the exchanging client's rule taken away" { // ends nothing that was given
				if facts["active"] != true {
					t.Errorf("%s: %v", test.name, facts)
				}
			} else if facts["active"] == true && facts["scope"] != nil {
				t.Errorf("%s: what came of it still holds: %v", test.name, facts)
			}
			if test.undo != nil {
				test.undo(tokens)
				s.Clock.Move(2 * time.Second)
			}
		}
	})
}

// TestExchangeChain: who acted is kept in order, to a bounded depth, and each
// step narrows; an old token's end is every later one's.
func TestExchangeChain(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		st := newExchangeStage(t, s)
		from, raw := st.app, st.access("orders:read")
		var chain []string
		for hop := 1; hop <= 5; hop++ {
			svc := st.service(keystone.Client{AccessTokenFormat: []string{keystone.FormatJWT, keystone.FormatOpaque}[hop%2]}, keystone.ExchangeRule{ClientID: from.ID, Mode: keystone.ExchangeDelegation})
			s.Clock.Move(time.Minute)
			status, got := st.exchange(svc, raw)
			if hop == 5 {
				if status != http.StatusBadRequest || got["error"] != "invalid_grant" {
					t.Errorf("a fifth actor: %d %v", status, got)
				}
				break
			}
			if status != http.StatusOK {
				t.Fatalf("hop %d: %d %v", hop, status, got)
			}
			chain = append([]string{svc.ID}, chain...)
			facts := st.introspect(svc, got["access_token"])
			act, _ := facts["act"].(map[string]any)
			for i, want := range chain {
				if act["sub"] != want {
					t.Fatalf("hop %d: actor %d is %v: %v", hop, i, act["sub"], facts)
				}
				act, _ = act["act"].(map[string]any)
			}
			if act != nil {
				t.Errorf("hop %d: one more actor: %v", hop, act)
			}
			if left := got["expires_in"].(float64); left > float64(900-60*hop) {
				t.Errorf("hop %d: it outlives the first token: %v", hop, left)
			}
			// An actor token that itself has actors names nobody.
			status, answer := st.exchange(svc, st.access("orders:read"), "actor_token", got["access_token"].(string), "actor_token_type", tokenTypeAccess)
			if hop == 1 && (status != http.StatusBadRequest || answer["error"] != "invalid_grant") {
				t.Errorf("an actor with actors: %d %v", status, answer)
			}
			from, raw = svc, got["access_token"].(string)
		}
		s.Clock.Move(12 * time.Minute)
		svc := st.service(keystone.Client{}, keystone.ExchangeRule{ClientID: from.ID, Mode: keystone.ExchangeImpersonation})
		if status, got := st.exchange(svc, raw); status != http.StatusBadRequest || got["error"] != "invalid_grant" {
			t.Errorf("after the end of the first token: %d %v", status, got)
		}
	})
}

package keystone_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// vouched are the claims of an assertion about a person.
func (p *platform) vouched(s *keystonetest.Server, subject string, pairs ...any) map[string]any {
	now := s.Clock.Now()
	return changed(map[string]any{
		"iss": p.issuer, "sub": subject, "aud": s.Issuer, "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "jti": rand.Text(),
		"email": "jane@example.com", "email_verified": true,
	}, pairs)
}

func bearerForm(c keystonetest.Client, raw string, pairs ...string) url.Values {
	return credentials(c, append([]string{"grant_type", jwtBearer, "assertion", raw}, pairs...)...)
}

func bearerClient(s *keystonetest.Server, policy keystone.AssertionIssuer, more ...func(*keystone.Client)) keystonetest.Client {
	c := keystone.Client{Grants: []string{jwtBearer}, Scopes: []string{"openid", "profile", "offline_access", "users:read"},
		ClientSettings: keystone.ClientSettings{JWTBearer: []keystone.AssertionIssuer{policy}}}
	for _, change := range more {
		change(&c)
	}
	return s.CreateClient(c)
}

// TestJWTBearer: an issuer that the client's policy names vouches for those whom the
// policy names; the token is the person's, short, and ends with them (RFC 7523
// section 2.1).
func TestJWTBearer(t *testing.T) {
	k, stranger := newClientKey(t, "ES256", "k1"), newClientKey(t, "ES256", "k1")
	p := newPlatform(t, k)
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateRole("reader", "users:read")
		jane, john := s.CreateUser("jane", "reader"), s.CreateUser("john")
		mapped := bearerClient(s, keystone.AssertionIssuer{Issuer: p.issuer, Users: []keystone.AssertionUser{{Subject: "ext|jane", UserID: jane.ID}}, Scopes: []string{"openid", "users:read"}})
		byID := bearerClient(s, keystone.AssertionIssuer{Issuer: p.issuer, JWKSURI: p.issuer + "/keys", SubjectIsUserID: true}, func(c *keystone.Client) { c.AccessTokenFormat = keystone.FormatOpaque })
		ask := func(c keystonetest.Client, raw string, pairs ...string) (int, map[string]any) {
			return postForm(t, s, "/oauth2/token", bearerForm(c, raw, pairs...))
		}
		for name, test := range map[string]struct {
			c       keystonetest.Client
			subject string
			scope   string
		}{
			"mapped": {mapped, "ext|jane", "openid users:read"},
			"by id":  {byID, jane.ID, "offline_access openid profile users:read"},
		} {
			status, tokens := ask(test.c, k.sign(t, "JWT", p.vouched(s, test.subject)))
			raw, _ := tokens["access_token"].(string)
			if status != http.StatusOK || tokens["scope"] != test.scope || tokens["refresh_token"] != nil || tokens["id_token"] != nil {
				t.Fatalf("%s: %d %v", name, status, tokens)
			}
			var info map[string]any
			if status := s.Call(http.MethodGet, "/oauth2/userinfo", raw, nil, &info); status != http.StatusOK || info["sub"] != jane.ID {
				t.Errorf("%s: userinfo %d %v", name, status, info)
			}
			if status := s.Call(http.MethodGet, usersPath, raw, nil, nil); status != http.StatusOK {
				t.Errorf("%s: the API answers %d", name, status)
			}
			if status := s.Call(http.MethodGet, "/api/v1/users/me/sessions", raw, nil, nil); status != http.StatusForbidden {
				t.Errorf("%s: the account is the person's own, and it answers %d", name, status)
			}
			// What ends all that is the person's ends it.
			if status := s.Call(http.MethodDelete, "/api/v1/users/"+jane.ID+"/sessions", s.Admin(), nil, nil); status != http.StatusOK && status != http.StatusNoContent {
				t.Fatal(status)
			}
			if status := s.Call(http.MethodGet, "/oauth2/userinfo", raw, nil, nil); status != http.StatusUnauthorized {
				t.Errorf("%s: after all sessions ended: %d", name, status)
			}
		}
		var trail struct {
			Items []map[string]any `json:"items"`
		}
		s.Call(http.MethodGet, "/api/v1/admin/audit?action=token.asserted", s.Admin(), nil, &trail)
		if len(trail.Items) != 2 {
			t.Errorf("the trail: %v", trail.Items)
		}

		good := p.vouched(s, "ext|jane")
		now := s.Clock.Now()
		other := bearerClient(s, keystone.AssertionIssuer{Issuer: "https://other.example", SubjectIsUserID: true})
		refused := map[string]struct {
			c   keystonetest.Client
			raw string
		}{
			"another client's issuer": {other, k.sign(t, "", good)},
			"another's key":           {mapped, stranger.sign(t, "", good)},
			"E1 none":                 {mapped, encoded(map[string]any{"alg": "none"}) + "." + encoded(good) + "."},
			"E2 HS256":                {mapped, signJWT(t, "HS256", []byte(jwks(t, k)), map[string]any{"kid": "k1"}, good)},
			"a client's assertion":    {mapped, k.sign(t, "client-authentication+jwt", good)},
			"an access token":         {mapped, k.sign(t, "at+jwt", good)},
			"no JWT":                  {mapped, "x"},
			"id of a stranger":        {byID, k.sign(t, "", p.vouched(s, keystone.NewID(now)))},
			"no id":                   {byID, k.sign(t, "", p.vouched(s, "jane"))},
			"e-mail as subject":       {byID, k.sign(t, "", p.vouched(s, jane.Email))},
		}
		for name, pairs := range map[string][]any{
			"K9 unknown subject, known e-mail": {"sub", "ext|other", "email", jane.Email},
			"the user's id, where mapped":      {"sub", jane.ID},
			"no subject":                       {"sub", nil},
			"another issuer":                   {"iss", "https://other.example"},
			"no issuer":                        {"iss", nil},
			"another audience":                 {"aud", "https://other.example"},
			"two audiences":                    {"aud", []string{s.Issuer, "https://other.example"}},
			"token endpoint":                   {"aud", s.Issuer + "/oauth2/token"},
			"no audience":                      {"aud", nil},
			"no exp":                           {"exp", nil},
			"expired":                          {"exp", now.Add(-time.Minute).Unix()},
			"good for a day":                   {"exp", now.Add(24 * time.Hour).Unix()},
			"of the future":                    {"nbf", now.Add(time.Hour).Unix()},
			"no jti":                           {"jti", nil},
			"jti of 600 characters":            {"jti", strings.Repeat("x", 600)},
		} {
			refused[name] = struct {
				c   keystonetest.Client
				raw string
			}{mapped, k.sign(t, "", p.vouched(s, "ext|jane", pairs...))}
		}
		for name, test := range refused {
			if status, answer := ask(test.c, test.raw); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
				t.Errorf("%s: %d %v", name, status, answer)
			}
		}
		fresh := func() string { return k.sign(t, "authorization-grant+jwt", p.vouched(s, "ext|jane")) }
		for name, test := range map[string]struct {
			status int
			code   string
			form   url.Values
		}{
			"no assertion":         {400, "invalid_request", credentials(mapped, "grant_type", jwtBearer)},
			"K9 beyond the policy": {400, "invalid_scope", bearerForm(mapped, fresh(), "scope", "profile")},
			"what nobody has":      {400, "invalid_scope", bearerForm(mapped, fresh(), "scope", "users:write")},
			"another's resource":   {400, "invalid_target", bearerForm(mapped, fresh(), "resource", "https://stock.example")},
			"not its grant type":   {400, "unauthorized_client", bearerForm(s.CreateClient(keystone.Client{}), fresh())},
			"not proved":           {401, "invalid_client", bearerForm(keystonetest.Client{ID: mapped.ID, Secret: "x"}, fresh())},
			"by name alone":        {401, "invalid_client", bearerForm(keystonetest.Client{ID: mapped.ID}, fresh())},
		} {
			if status, answer := postForm(t, s, "/oauth2/token", test.form); status != test.status || answer["error"] != test.code {
				t.Errorf("%s: %d %v", name, status, answer)
			}
		}
		if _, tokens := ask(byID, k.sign(t, "", p.vouched(s, john.ID))); tokens["scope"] != "offline_access openid profile" {
			t.Errorf("what the person does not hold: %v", tokens)
		}

		// Bound to a key, as everything that leaves by the one door.
		proof := newProofKey(t, s)
		bound := proof.post(s, tokenPath, bearerForm(mapped, fresh()), proof.proof(http.MethodPost, tokenPath))
		if bound.is(t, http.StatusOK, ""); bound.body["token_type"] != "DPoP" {
			t.Errorf("%v", bound.body)
		}

		// M1: the person, the client.
		_, tokens := ask(mapped, fresh())
		raw, _ := tokens["access_token"].(string)
		if status := s.Call(http.MethodPatch, "/api/v1/users/"+jane.ID, s.Admin(), map[string]any{"enabled": false}, nil); status != http.StatusOK {
			t.Fatal(status)
		}
		if status := s.Call(http.MethodGet, "/oauth2/userinfo", raw, nil, nil); status != http.StatusUnauthorized {
			t.Errorf("a token of a disabled person: %d", status)
		}
		if status, answer := ask(mapped, fresh()); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			t.Errorf("an assertion about a disabled person: %d %v", status, answer)
		}
		if status := s.Call(http.MethodDelete, "/api/v1/users/"+jane.ID, s.Admin(), nil, nil); status != http.StatusNoContent {
			t.Fatal(status)
		}
		if status, answer := ask(mapped, fresh()); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			t.Errorf("an assertion about a deleted person: %d %v", status, answer)
		}
	}, p.option)
}

// TestJWTBearerOnce: X16: an assertion is good once, on whatever node, and the
// refusals before it leave it good.
func TestJWTBearerOnce(t *testing.T) {
	k := newClientKey(t, "ES256", "k1")
	p := newPlatform(t, k)
	eachPairOfNodes(t, func(t *testing.T, a, b *keystonetest.Server) {
		jane := a.CreateUser("jane")
		policy := keystone.AssertionIssuer{Issuer: p.issuer, SubjectIsUserID: true}
		c, other := bearerClient(a, policy), bearerClient(a, policy)
		for range 3 {
			raw := k.sign(t, "", p.vouched(a, jane.ID))
			if status, answer := postForm(t, a, tokenPath, bearerForm(c, raw, "scope", "users:write")); status != http.StatusBadRequest || answer["error"] != "invalid_scope" {
				t.Errorf("%d %v", status, answer)
			}
			var won atomic.Int64
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					resp, err := []*keystonetest.Server{a, b}[i%2].Client().PostForm([]*keystonetest.Server{a, b}[i%2].URL+tokenPath, bearerForm([]keystonetest.Client{c, other}[i/8], raw))
					if err != nil {
						t.Error(err)
						return
					}
					if _ = resp.Body.Close(); resp.StatusCode == http.StatusOK {
						won.Add(1)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Errorf("%d of 16 uses got a token", won.Load())
			}
		}
	}, p.option)
}

// TestJWTBearerRegistration: a policy says whom an issuer may speak for, and for
// which client.
func TestJWTBearerRegistration(t *testing.T) {
	s := keystonetest.Start(t)
	c := s.CreateClient(keystone.Client{})
	id := keystone.NewID(time.Now())
	one := func(pairs ...any) map[string]any {
		return map[string]any{"jwt_bearer": []any{changed(map[string]any{"issuer": "https://idp.example", "users": []any{map[string]any{"subject": "x", "user_id": id}}}, pairs)}}
	}
	for name, body := range map[string]map[string]any{
		"http":                 one("issuer", "http://idp.example"),
		"nobody":               one("users", nil),
		"everybody and some":   one("subject_is_user_id", true),
		"no id":                one("users", []any{map[string]any{"subject": "x", "user_id": "jane"}}),
		"no subject":           one("users", []any{map[string]any{"subject": "", "user_id": id}}),
		"a subject twice":      one("users", []any{map[string]any{"subject": "x", "user_id": id}, map[string]any{"subject": "x", "user_id": keystone.NewID(time.Now())}}),
		"keys over http":       one("jwks_uri", "http://idp.example/keys"),
		"a scope that is none": one("scopes", []string{"a b"}),
		"twice":                {"jwt_bearer": []any{one()["jwt_bearer"].([]any)[0], one()["jwt_bearer"].([]any)[0]}},
	} {
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), body, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
	var answer map[string]any
	if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), one(), &answer); status != http.StatusOK || answer["jwt_bearer"] == nil {
		t.Errorf("%d %v", status, answer)
	}
	spa := s.CreateClient(keystone.Client{Kind: keystone.ClientSPA, RedirectURIs: []string{callback}})
	for name, body := range map[string]map[string]any{"policy": one(), "grant": {"grants": []string{jwtBearer}}} {
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+spa.ID, s.Admin(), body, nil); status != http.StatusBadRequest {
			t.Errorf("%s of a public client: %d", name, status)
		}
	}
}

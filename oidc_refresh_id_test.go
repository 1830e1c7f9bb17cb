package keystone_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// lasting are the claims of a first ID token that those of its refreshes repeat
// (OpenID Connect Core section 12.2).
func lasting(claims map[string]any) map[string]any {
	kept := map[string]any{}
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "acr", "amr", "sid"} {
		kept[name] = claims[name]
	}
	return kept
}

// TestIDTokenOfRefresh: by whatever grant a person allowed openid, each refresh says
// anew who they are, and as of when they signed in for this grant (OpenID Connect Core
// section 12.2); unless openid is left out.
func TestIDTokenOfRefresh(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		for name, allow := range allowedFor {
			t.Run(name, func(t *testing.T) {
				jane := s.CreateUser("jane-" + name)
				app, redeem := allow(t, s, jane)
				_, tokens := redeem()
				first := verifiedJWT(t, s, tokens["id_token"].(string), "RS256", "JWT")
				if first["auth_time"] == nil || first["acr"] == nil || first["amr"] == nil || first["sid"] == nil {
					t.Fatalf("the first: %v", first)
				}
				s.Clock.Move(time.Hour)
				signedIn(t, s, jane, webClient(s)) // elsewhere, which is nothing to this grant
				before := tokens["refresh_token"]
				for _, test := range []struct {
					name  string
					pairs []string
					has   bool
				}{{"all", nil, true}, {"openid alone", []string{"scope", "openid"}, true}, {"without openid", []string{"scope", "offline_access"}, false}, {"all again", nil, true}} {
					s.Clock.Move(time.Minute)
					status, next := refreshed(t, s, app, before, test.pairs...)
					if status != http.StatusOK || (next["id_token"] != nil) != test.has {
						t.Fatalf("%s: %d %v", test.name, status, next)
					}
					_, repeated := refreshed(t, s, app, before, test.pairs...) // within REFRESH_GRACE_SECONDS
					if repeated["refresh_token"] != next["refresh_token"] || (repeated["id_token"] != nil) != test.has {
						t.Errorf("%s, repeated: %v", test.name, repeated)
					}
					for _, answer := range []map[string]any{next, repeated} {
						if !test.has {
							continue
						}
						id := verifiedJWT(t, s, answer["id_token"].(string), "RS256", "JWT")
						if diff := cmp.Diff(lasting(first), lasting(id)); diff != "" {
							t.Errorf("%s: %s", test.name, diff)
						}
						now := float64(s.Clock.Now().Unix())
						if id["iat"].(float64) > now || id["iat"].(float64) < now-30 || id["exp"].(float64) <= now || id["at_hash"] != halfHash(answer["access_token"]) || id["nonce"] != nil || id["c_hash"] != nil {
							t.Errorf("%s: %v", test.name, id)
						}
					}
					before = next["refresh_token"]
				}
			})
		}
	})
}

// TestIDTokenOfRefreshSignedInAgain: whoever signs in again in the same session has not
// done so for what they allowed before; nor does it matter what became of the browser.
func TestIDTokenOfRefreshSignedInAgain(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, app := s.CreateUser("jane"), webClient(s)
		b := signedIn(t, s, jane, app)
		_, tokens := redeem(t, s, app, b.code(app, "scope", "openid offline_access"))
		first := idClaims(t, tokens["id_token"])
		s.Clock.Move(10 * time.Minute)
		b.open(authorizeURL(s, app, "prompt", "login", "scope", "openid offline_access"))
		b.signIn(jane)
		_, later := redeem(t, s, app, b.answer().Get("code"))
		if again := idClaims(t, later["id_token"]); again["sid"] != first["sid"] || again["auth_time"] == first["auth_time"] {
			t.Fatalf("not signed in again: %v", again)
		}
		for name, was := range map[string]map[string]any{"before": tokens, "after": later} {
			_, next := refreshed(t, s, app, was["refresh_token"])
			if diff := cmp.Diff(lasting(idClaims(t, was["id_token"])), lasting(idClaims(t, next["id_token"]))); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}

// TestIDTokenOfRefreshForClient: what a client registered for its ID tokens, and the
// claims that it asked for by name, hold for those of refreshes.
func TestIDTokenOfRefreshForClient(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		pair := pairwiseClient(s, callback, "")
		b := signedIn(t, s, jane, pair)
		_, tokens := redeem(t, s, pair, b.code(pair, "scope", "openid offline_access", "claims", `{"id_token":{"email":null},"userinfo":{"name":null}}`))
		_, next := refreshed(t, s, pair, tokens["refresh_token"])
		first, id := idClaims(t, tokens["id_token"]), idClaims(t, next["id_token"])
		if diff := cmp.Diff(lasting(first), lasting(id)); diff != "" || first["sub"] == jane.ID || first["email"] == nil || id["email"] != first["email"] || id["name"] != nil || id["email_verified"] != nil {
			t.Errorf("pairwise: %v\n%v", first, id)
		}
		var info map[string]any
		s.Call(http.MethodGet, "/oauth2/userinfo", next["access_token"].(string), nil, &info)
		for name := range info {
			if name != "sub" && name != "name" {
				t.Errorf("userinfo has %s", name)
			}
		}

		// What the client may not ask for any more is not said again.
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+pair.ID, s.Admin(), map[string]any{"scopes": []string{"openid", "offline_access"}}, nil); status != http.StatusOK {
			t.Fatal(status)
		}
		s.Clock.Move(2 * time.Second)
		_, next = refreshed(t, s, pair, next["refresh_token"])
		if less := idClaims(t, next["id_token"]); less["email"] != nil || less["sub"] != first["sub"] {
			t.Errorf("without the scope: %v", less)
		}
		clear(info)
		if s.Call(http.MethodGet, "/oauth2/userinfo", next["access_token"].(string), nil, &info); info["sub"] != first["sub"] || len(info) != 1 {
			t.Errorf("userinfo without the scope: %v", info)
		}

		// The JSON face gives the same.
		spa := s.CreateClient(keystone.Client{Name: "Page", Kind: keystone.ClientSPA, RedirectURIs: []string{callback}})
		b = signedIn(t, s, jane, spa)
		_, tokens = redeem(t, s, spa, b.code(spa, "scope", "openid offline_access"))
		s.Call(http.MethodPost, "/api/v1/auth/refresh", "", map[string]any{"refresh_token": tokens["refresh_token"], "client_id": spa.ID}, &next)
		if diff := cmp.Diff(lasting(idClaims(t, tokens["id_token"])), lasting(idClaims(t, next["id_token"]))); diff != "" {
			t.Errorf("JSON: %s", diff)
		}

		key, sig := newClientKey(t, "ES256", "enc"), newClientKey(t, "ES256", "sig")
		hidden := signerClient(s, encryptionKeys(t, sig, key, "enc"), func(c *keystone.ClientSettings) { c.IDTokenEncAlg, c.IDTokenAlg = "ECDH-ES", "ES256" })
		b = signedIn(t, s, jane, hidden)
		_, tokens = redeem(t, s, hidden, b.code(hidden, "scope", "openid offline_access"))
		if tokens["refresh_token"] == nil {
			t.Fatalf("%v", tokens)
		}
		_, next = refreshed(t, s, hidden, tokens["refresh_token"])
		jwe, err := jose.ParseEncryptedCompact(next["id_token"].(string), []jose.KeyAlgorithm{jose.ECDH_ES}, []jose.ContentEncryption{jose.A256GCM})
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwe.Decrypt(key.private)
		if id := verifiedJWT(t, s, string(text), "ES256", "JWT"); err != nil || id["sub"] != jane.ID || id["nonce"] != nil {
			t.Errorf("encrypted: %v %v", err, id)
		}
		// Without a key to encrypt to, nothing is used up, and who asks for no ID token needs none.
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+hidden.ID, s.Admin(), map[string]any{"jwks": jwks(t, sig)}, nil); status != http.StatusOK {
			t.Fatal(status)
		}
		s.Clock.Move(2 * time.Second)
		if status, answer := refreshed(t, s, hidden, next["refresh_token"]); status != http.StatusBadRequest || answer["error"] != "invalid_client_metadata" {
			t.Errorf("without a key: %d %v", status, answer)
		}
		if status, answer := refreshed(t, s, hidden, next["refresh_token"], "scope", "offline_access"); status != http.StatusOK || answer["id_token"] != nil {
			t.Errorf("without a key and openid: %d %v", status, answer)
		}
	})
}

// TestIDTokenOfRefreshNever: who never got an ID token gets none by refreshing.
func TestIDTokenOfRefreshNever(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateScope("orders:read")
		s.CreateRole("clerk", "orders:read")
		jane := s.CreateUser("jane", "clerk")
		own := s.CreateClient(keystone.Client{Name: "Own", Kind: keystone.ClientSPA, FirstParty: true, Scopes: []string{"openid", "offline_access"}})
		var tokens map[string]any
		s.Call(http.MethodPost, "/api/v1/auth/login", "", map[string]any{"username": jane.Username, "password": jane.Password, "client_id": own.ID, "scope": "openid offline_access"}, &tokens)
		status, next := postForm(t, s, "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}, "client_id": {own.ID}})
		if status != http.StatusOK || next["id_token"] != nil {
			t.Errorf("JSON sign-in: %d %v", status, next)
		}
		app := webClient(s, "openid", "offline_access", "orders:read")
		b := signedIn(t, s, jane, app, "scope", "orders:read")
		_, tokens = redeem(t, s, app, b.code(app, "scope", "orders:read"))
		if status, next := refreshed(t, s, app, tokens["refresh_token"]); status != http.StatusOK || next["id_token"] != nil {
			t.Errorf("OAuth alone: %d %v", status, next)
		}
	})
}

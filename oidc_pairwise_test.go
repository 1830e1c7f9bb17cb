package keystone_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

func pairwiseClient(s *keystonetest.Server, uri, sector string) keystonetest.Client {
	return s.CreateClient(keystone.Client{Name: "Pair", Kind: keystone.ClientWeb, RedirectURIs: []string{uri}, Scopes: []string{"openid", "profile", "email", "offline_access"}, AccessTokenFormat: keystone.FormatOpaque,
		PostLogoutURIs: []string{"https://app.example/bye"}, ClientSettings: keystone.ClientSettings{SubjectType: keystone.SubjectPairwise, SectorURI: sector}})
}

// TestPairwise: clients of two sectors know a user by two names, those of one by the
// same, and nothing tells them the user's id (OpenID Connect Core section 8.1).
func TestPairwise(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, joe := s.CreateUser("jane"), s.CreateUser("joe")
		one, sister, two := pairwiseClient(s, callback, ""), pairwiseClient(s, callback, ""), pairwiseClient(s, callback, "https://other.example/sector.json")
		subs := map[string]string{}
		for name, c := range map[string]keystonetest.Client{"one": one, "sister": sister, "two": two} {
			b := signedIn(t, s, jane, c)
			_, tokens := redeem(t, s, c, b.code(c, "scope", "openid offline_access"))
			access, raw := tokens["access_token"].(string), tokens["id_token"].(string)
			sub, _ := idClaims(t, raw)["sub"].(string)
			subs[name] = sub
			var info map[string]any
			s.Call(http.MethodGet, "/oauth2/userinfo", access, nil, &info)
			_, seen := postForm(t, s, "/oauth2/introspect", credentials(c, "token", access))
			_, refresh := postForm(t, s, "/oauth2/introspect", credentials(c, "token", tokens["refresh_token"].(string)))
			for where, got := range map[string]map[string]any{"userinfo": info, "introspection": seen, "of the refresh token": refresh} {
				if got["sub"] != sub || got["username"] != nil {
					t.Errorf("%s %s: %v", name, where, got)
				}
			}
			if sub == "" || sub == jane.ID || keystone.IsID(sub) {
				t.Errorf("%s: sub %q", name, sub)
			}
			b.open(authorizeURL(s, c, "prompt", "none", "id_token_hint", raw))
			if b.answer().Get("code") == "" {
				t.Errorf("%s hint: %s", name, b.page.url)
			}
			b.open(authorizeURL(s, c, "prompt", "none", "claims", `{"id_token":{"sub":{"value":"`+sub+`"}}}`))
			if b.answer().Get("code") == "" {
				t.Errorf("%s claims: %s", name, b.page.url)
			}
			for _, other := range []string{jane.ID, "AAAAAAAAAAAAAAAAAAAAAA", "x"} { // the user's id is not a name that this client knows
				b.open(authorizeURL(s, c, "prompt", "none", "claims", `{"userinfo":{"sub":{"value":"`+other+`"}}}`))
				if b.answer().Get("code") != "" {
					t.Errorf("%s: sub %s is taken for jane", name, other)
				}
			}
			b.open(s.URL + "/oauth2/logout?id_token_hint=" + raw + "&post_logout_redirect_uri=https://app.example/bye")
			if b.page.url.Host != "app.example" {
				t.Errorf("%s: logging out with the ID token stays at %s", name, b.page.url)
			}
			b2 := signedIn(t, s, joe, c)
			_, tokens = redeem(t, s, c, b2.code(c))
			if idClaims(t, tokens["id_token"])["sub"] == sub {
				t.Errorf("%s: two users have one sub", name)
			}
			b2.open(authorizeURL(s, c, "prompt", "none", "id_token_hint", raw))
			if b2.answer().Get("error") != "login_required" {
				t.Errorf("%s: the hint of another user: %s", name, b2.page.url)
			}
		}
		if subs["one"] != subs["sister"] || subs["one"] == subs["two"] {
			t.Errorf("%v", subs)
		}
		was := webClient(s) // one whose sub was public before
		b := signedIn(t, s, jane, was)
		_, tokens := redeem(t, s, was, b.code(was))
		if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+was.ID, s.Admin(), map[string]any{"subject_type": "pairwise", "access_token_format": "opaque"}, nil); status != http.StatusOK {
			t.Fatal(status)
		}
		s.Clock.Move(2 * time.Second)
		b = signedIn(t, s, joe, was)
		b.open(authorizeURL(s, was, "prompt", "none", "id_token_hint", tokens["id_token"].(string)))
		if got := b.answer(); got.Get("error") != "invalid_request" {
			t.Errorf("a hint of before: %v", got)
		}
		base := func(change map[string]any) map[string]any {
			body := map[string]any{"name": "x", "kind": "web", "subject_type": "pairwise", "access_token_format": "opaque", "redirect_uris": []string{callback}}
			for name, v := range change {
				body[name] = v
			}
			return body
		}
		for name, change := range map[string]map[string]any{
			"JWT": {"access_token_format": "jwt"}, "two hosts": {"redirect_uris": []string{callback, "https://b.example/"}}, "sector without": {"subject_type": "public", "sector_identifier_uri": "https://a.example/"},
			"http sector": {"sector_identifier_uri": "http://a.example/"}, "unknown": {"subject_type": "x"}, "private scheme": {"kind": "native", "redirect_uris": []string{"com.example.app:/cb"}}, "first party": {"kind": "spa", "first_party": true},
		} {
			if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), base(change), nil); status != http.StatusBadRequest {
				t.Errorf("%s: %d", name, status)
			}
		}
		if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), base(map[string]any{"redirect_uris": []string{callback, "https://b.example/"}, "sector_identifier_uri": "https://a.example/x"}), nil); status != http.StatusCreated {
			t.Errorf("two hosts with a sector: %d", status)
		}
	})
}

// TestPairwiseSession: the sid of a session connects clients of two sectors no more
// than sub does, whatever carries it, and still says to each which session has ended
// (OpenID Connect Core section 8.1).
func TestPairwiseSession(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database keystonetest.Option) {
		r, reach := newReceiver(t)
		s := keystonetest.Start(t, database, reach)
		pair := func(path, sector string) keystonetest.Client {
			return s.CreateClient(keystone.Client{Name: "Pair", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid", "profile", "email", "offline_access"},
				AccessTokenFormat: keystone.FormatOpaque, ClientSettings: keystone.ClientSettings{SubjectType: keystone.SubjectPairwise, SectorURI: sector,
					BackchannelLogoutURI: r.URL + "/" + path, FrontchannelLogoutURI: "https://app.example/" + path, FrontchannelLogoutSession: true}})
		}
		clients := map[string]keystonetest.Client{"one": pair("one", ""), "sister": pair("sister", ""), "two": pair("two", "https://other.example/s.json")}
		open := webClient(s)
		b := signedIn(t, s, s.CreateUser("jane"), open)
		_, tokens := redeem(t, s, open, b.code(open))
		session, _ := idClaims(t, tokens["id_token"])["sid"].(string)
		sids, hint := map[string]string{}, ""
		for path, c := range clients {
			b.open(authorizeURL(s, c, "scope", "openid offline_access"))
			b.submit(map[string]string{"decision": "allow"})
			_, tokens := redeem(t, s, c, b.answer().Get("code"))
			hint = tokens["id_token"].(string)
			sid, _ := idClaims(t, hint)["sid"].(string)
			sids[path] = sid
			for _, field := range []string{"access_token", "refresh_token"} {
				if _, seen := postForm(t, s, "/oauth2/introspect", credentials(c, "token", tokens[field].(string))); seen["active"] != true || seen["sid"] != sid {
					t.Errorf("%s %s: %v", path, field, seen)
				}
			}
			if sid == "" || sid == session || keystone.IsID(sid) || sid == idClaims(t, hint)["sub"] {
				t.Errorf("%s: sid %q of session %q", path, sid, session)
			}
		}
		if sids["one"] != sids["sister"] || sids["one"] == sids["two"] {
			t.Errorf("%v", sids)
		}
		b.open(s.URL + "/oauth2/logout?id_token_hint=" + hint) // nobody is asked: it is the ID token of this session
		frames := map[string]bool{}
		for _, m := range regexp.MustCompile(`<iframe src="([^"]*)"`).FindAllStringSubmatch(b.page.body, -1) {
			frames[strings.ReplaceAll(m[1], "&amp;", "&")] = true
		}
		for path, c := range clients {
			if !frames["https://app.example/"+path+"?"+url.Values{"iss": {s.Issuer}, "sid": {sids[path]}}.Encode()] {
				t.Errorf("%s is not told its sid through the browser: %v", path, frames)
			}
			if claims := logoutClaims(t, s, c.ID, r.wait(t, "/"+path, 1)[0]); claims["sid"] != sids[path] {
				t.Errorf("%s is told %v", path, claims)
			}
		}
	})
}

// TestPairwiseOfAnotherHost: who registers a client for somebody else's host, and gets its
// answers by device, does not learn by which sub that host knows a user.
func TestPairwiseOfAnotherHost(t *testing.T) {
	site, ca := tlsSite(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`["` + callback + `"]`)) })
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, good := s.CreateUser("jane"), pairwiseClient(s, callback, "")
		b := signedIn(t, s, jane, good)
		_, tokens := redeem(t, s, good, b.code(good, "scope", "openid"))
		known := idClaims(t, tokens["id_token"])["sub"]
		initial := initialToken(t, s, m{"uses": 9, "scopes": []string{"openid"}, "grants": []string{"authorization_code", keystone.GrantDeviceCode}}).text("registration_token")
		tv := registers(t, s, initial, "subject_type", "pairwise", "grant_types", []string{"authorization_code", keystone.GrantDeviceCode}, "scope", "openid")
		tv.wants(t, http.StatusCreated, "register")
		of := registers(t, s, initial, "subject_type", "pairwise", "grant_types", []string{"authorization_code", keystone.GrantDeviceCode}, "scope", "openid", "sector_identifier_uri", site.URL+"/sector")
		if of.status != http.StatusBadRequest || !strings.Contains(of.body, "sector of its own") {
			t.Errorf("%d %s", of.status, of.body)
		}
		_, asked := postForm(t, s, "/oauth2/device_authorization", credentials(tv.client(), "scope", "openid"))
		b.open(s.URL + "/device?user_code=" + asked["user_code"].(string))
		b.submit(nil)
		b.at("consent-allow")
		b.submit(map[string]string{"decision": "allow"})
		s.Clock.Move(2 * time.Second)
		status, tokens := postForm(t, s, "/oauth2/token", credentials(tv.client(), "grant_type", keystone.GrantDeviceCode, "device_code", asked["device_code"].(string)))
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, tokens)
		}
		if sub := idClaims(t, tokens["id_token"])["sub"]; sub == known || sub == jane.ID || sub == "" {
			t.Errorf("sub %v, at the host %v", sub, known)
		}
	}, registering("token", "OUTBOUND_ALLOW", "127.0.0.1", "OUTBOUND_CA_FILE", ca))
}

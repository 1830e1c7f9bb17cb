package keystone_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// E1, E2, E3, E7, F1: nothing but Keystone's own access tokens gets in, whatever
// their header says; no address in a header is ever asked.
func TestAttackE_ForgedTokens(t *testing.T) {
	var asked atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer evil.Close()
	s := keystonetest.Start(t)
	tokens := s.SignIn(s.CreateUser("owner"))
	parts := strings.Split(tokens.AccessToken, ".")
	rawHeader, _ := base64.RawURLEncoding.DecodeString(parts[0])
	var header m
	if err := json.Unmarshal(rawHeader, &header); err != nil {
		t.Fatal(err)
	}
	jwks := as(s, "").json(t, "GET", "/oauth2/jwks", nil)
	key, _ := json.Marshal(jwks.fields["keys"].([]any)[0])
	with := func(name string, value any) string {
		h := m{}
		for k, v := range header {
			h[k] = v
		}
		h[name] = value
		if value == nil {
			delete(h, name)
		}
		b, _ := json.Marshal(h)
		return b64(string(b))
	}
	hs := func(secret []byte) string {
		head := with("alg", "HS256")
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(head + "." + parts[1]))
		return head + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	for name, token := range map[string]string{
		"alg none":           with("alg", "none") + "." + parts[1] + ".",
		"alg nOnE":           with("alg", "nOnE") + "." + parts[1] + "." + parts[2],
		"no signature":       parts[0] + "." + parts[1] + ".",
		"no kid":             with("kid", nil) + "." + parts[1] + "." + parts[2],
		"HS256, public key":  hs(key),
		"HS256, empty key":   hs(nil),
		"jku":                with("jku", evil.URL) + "." + parts[1] + "." + parts[2],
		"x5u":                with("x5u", evil.URL) + "." + parts[1] + "." + parts[2],
		"jwk":                with("jwk", json.RawMessage(key)) + "." + parts[1] + "." + parts[2],
		"kid is an address":  with("kid", evil.URL) + "." + parts[1] + "." + parts[2],
		"kid is a path":      with("kid", "../../etc/passwd") + "." + parts[1] + "." + parts[2],
		"crit":               with("crit", []string{"exp"}) + "." + parts[1] + "." + parts[2],
		"typ JWT":            with("typ", "JWT") + "." + parts[1] + "." + parts[2],
		"five parts":         tokens.AccessToken + ".x.y",
		"PBES2":              b64(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000,"p2s":"AAAA"}`) + ".a.b.c.d",
		"zip":                b64(`{"alg":"dir","enc":"A128GCM","zip":"DEF"}`) + "..a.b.c",
		"signature extended": tokens.AccessToken + "A",
		"signature cut":      tokens.AccessToken[:len(tokens.AccessToken)-2],
		"padding":            tokens.AccessToken + "=",
		"refresh token":      tokens.RefreshToken,
		"16 KiB":             strings.Repeat("a", 16<<10) + ".b.c",
		"opaque, invented":   "ks_at_" + strings.Repeat("A", 49),
	} {
		start := time.Now()
		as(s, token).json(t, "GET", "/api/v1/users/me", nil).wants(t, 401, "%s", name)
		if time.Since(start) > 5*time.Second {
			t.Errorf("%s: took %v", name, time.Since(start))
		}
	}
	if asked.Load() > 0 {
		t.Error("an address from a token's header was asked")
	}
	if got := as(s, tokens.AccessToken).with("Authorization", "Bearer "+tokens.AccessToken).json(t, "GET", "/api/v1/users/me", nil); got.status != 400 {
		t.Errorf("two Authorization headers answered %d", got.status)
	}
	as(s, "").json(t, "GET", "/api/v1/users/me?access_token="+tokens.AccessToken, nil).wants(t, 400, "P9: token in the address")
}

// F4, F8, F11, F13, G1, G2, P9: whom a token is for, and how a client shows itself.
func TestAttackF_AudienceAndClients(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		const rs = "https://rs.example"
		for _, format := range []string{keystone.FormatJWT, keystone.FormatOpaque} {
			c := s.CreateClient(keystone.Client{Scopes: []string{keystone.UsersRead}, Audiences: []string{rs}, AccessTokenFormat: format})
			stranger, peer := s.CreateClient(keystone.Client{}), s.CreateClient(keystone.Client{Audiences: []string{rs, s.Issuer}})
			as(s, s.ServiceTokenFor(c, rs)).json(t, "GET", "/api/v1/users", nil).wants(t, 401, "F4: %s for another resource", format)
			as(s, s.ServiceToken(c)).json(t, "GET", "/api/v1/users", nil).wants(t, 200, "%s for Keystone", format)
			for _, who := range []keystonetest.Client{stranger, peer} { // the peer may ask for tokens for that resource, and does not stand for it
				got := as(s, "").form(t, "/oauth2/introspect", "token", s.ServiceTokenFor(c, rs), "client_id", who.ID, "client_secret", who.Secret)
				if got.status != 200 || strings.TrimSpace(got.body) != `{"active":false}` || got.header.Get("Cache-Control") != "no-store" {
					t.Errorf("F8: %d %s", got.status, got.body)
				}
			}
			as(s, "").form(t, "/oauth2/introspect", "token", "x").wants(t, 401, "F8: nobody introspects")
			as(s, "").form(t, "/oauth2/introspect", "token", "x", "client_id", "keystone").wants(t, 401, "F8: nor does a public client")
			token := func(pairs ...string) answer {
				return as(s, "").form(t, "/oauth2/token", append([]string{"grant_type", "client_credentials", "client_id", c.ID, "client_secret", c.Secret}, pairs...)...)
			}
			for _, scope := range []string{"openid", "offline_access", keystone.UsersWrite, keystone.UsersRead + " admin", "users:read\tx", `"`} {
				if got := token("scope", scope); got.status != 400 || got.text("error") != "invalid_scope" {
					t.Errorf("F11: scope %q answered %d %s", scope, got.status, got.body)
				}
			}
			for _, resource := range []string{"https://other.example", rs + "/", strings.ToUpper(rs), rs + "#x", " " + rs} {
				if got := token("resource", resource); got.status != 400 || got.text("error") != "invalid_target" {
					t.Errorf("F11: resource %q answered %d %s", resource, got.status, got.body)
				}
			}
			token("client_secret", c.Secret).wants(t, 400, "G1: a parameter twice")
			basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ID+":"+c.Secret))
			as(s, "").with("Authorization", basic).form(t, "/oauth2/token", "grant_type", "client_credentials", "client_secret", c.Secret).wants(t, 400, "G1: two methods")
			as(s, "").with("Authorization", basic).form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", stranger.ID).wants(t, 400, "G1: two names")
			as(s, "").form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", c.ID).wants(t, 401, "G2: no secret")
			as(s, "").form(t, "/oauth2/token?client_secret="+c.Secret, "grant_type", "client_credentials", "client_id", c.ID).wants(t, 400, "P9: secret in the address")
			as(s, "").form(t, "/oauth2/token", "grant_type", "password", "username", "x", "password", "x", "client_id", "keystone").wants(t, 400, "no password grant")
			as(s, "").form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", "keystone").wants(t, 400, "a public client for itself")
		}
		u := s.CreateUser("reused")
		s.Call("DELETE", "/api/v1/users/"+u.ID, s.Admin(), nil, nil)
		if again := s.CreateUser("reused"); again.ID == u.ID {
			t.Error("F13: the id of a deleted user was given again")
		}
	})
}

// K1, K4, K7, K12, N6, S5: links, self-service and registration.
func TestAttackK_LinksAndRegistration(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		u := s.CreateUser("linked")
		link := as(s, s.Admin()).with("Host", "evil.example").with("X-Forwarded-Host", "evil.example").with("X-Forwarded-Proto", "https").
			with("Forwarded", "host=evil.example").json(t, "POST", "/api/v1/users/"+u.ID+"/password-reset", nil)
		address := link.text("reset_url")
		if !strings.HasPrefix(address, s.Issuer+"/reset?token=") {
			t.Errorf("K1: the link leads to %s", address)
		}
		_, value, _ := strings.Cut(address, "?")
		for range 3 {
			page := as(s, "").json(t, "GET", "/reset?"+value, nil)
			page.wants(t, 200, "K4: a scanner looks")
			if page.header.Get("Cache-Control") != "no-store" || page.header.Get("Referrer-Policy") != "no-referrer" || page.header.Get("X-Frame-Options") != "DENY" ||
				!strings.Contains(page.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("B12, I6: headers of the page: %v", page.header)
			}
		}
		token := strings.TrimPrefix(value, "token=")
		for name, origin := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
			as(s, "").with(name, origin).form(t, "/reset", "token", token, "password", "a password of the thief").wants(t, 403, "I2: reset from another site")
			as(s, "").with(name, origin).form(t, "/setup", "token", token, "username", "x").wants(t, 403, "I2: setup from another site")
			as(s, "").with(name, origin).json(t, "POST", "/api/v1/auth/login", m{"username": "x", "password": "x"}).wants(t, 403, "I2: login from another site")
		}
		as(s, "").with("Content-Type", "text/plain").json(t, "POST", "/api/v1/auth/login", m{"username": "x", "password": "x"}).wants(t, 415, "I2: JSON as plain text")
		as(s, "").form(t, "/reset", "token", token, "password", "short").wants(t, 400, "a bad password")
		as(s, "").form(t, "/reset", "token", token, "password", "the new one of its owner").wants(t, 200, "K4: the owner")
		as(s, "").json(t, "POST", "/api/v1/auth/reset-password", m{"token": token, "password": "once more by the API"}).wants(t, 401, "used twice")
		if got := as(s, "").json(t, "GET", "/setup?token="+token, nil); got.status < 400 {
			t.Errorf("a reset link opens the setup page: %d", got.status)
		}
		u.Password = "the new one of its owner"
		own := s.SignIn(u).AccessToken
		for _, field := range []string{"email_verified", "phone_verified", "enabled", "roles", "id", "tenant", "password", "version", "Username", "last_login"} {
			as(s, own).json(t, "PATCH", "/api/v1/users/me", m{field: true}).wants(t, 400, "K7: own %s", field)
			as(s, s.Admin()).json(t, "POST", "/api/v1/users", m{"username": "n6", "email": "n6@example.com", field: "x"}).wants(t, 400, "N6: %s of a new user", field)
		}
	})
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"REGISTRATION": "closed"}))
	as(s, "").json(t, "POST", "/api/v1/auth/register", m{"username": "walkin", "email": "w@example.com", "password": "a good password for tests"}).wants(t, 403, "K12")
}

// P1, P4, P6, P7, N4, S7: text from outside is text everywhere, and secrets are
// nowhere: not in answers, not in the trail, not in the database.
func TestAttackP_TextAndSecrets(t *testing.T) {
	s := keystonetest.Start(t)
	const html = `<script>alert(1)</script>"'{{.}}`
	page := as(s, "").json(t, "GET", "/reset?token="+url.QueryEscape(html), nil)
	if strings.Contains(page.body, "<script>") {
		t.Error("P1: a page repeats what was sent")
	}
	setup := as(s, "").form(t, "/setup", "token", html, "username", html, "email", html, "password", html)
	if strings.Contains(setup.body, "<script>") || !strings.Contains(setup.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("P1: the setup page repeats what was sent")
	}
	u := s.CreateUser("canary-user")
	tokens := s.SignIn(u)
	as(s, tokens.AccessToken).json(t, "PATCH", "/api/v1/users/me", m{"first_name": html}).wants(t, 200, "a name is any text")
	for _, q := range []string{"%", "_", "%25%", `\`, "' OR 1=1 --", "\U0010FFFF", "*", html} {
		got := as(s, s.Admin()).json(t, "GET", "/api/v1/users?q="+url.QueryEscape(q), nil)
		if items, _ := got.fields["items"].([]any); got.status != 200 || len(items) > 0 && q != html {
			t.Errorf("P4: search for %q answered %d %.200s", q, got.status, got.body)
		}
	}
	as(s, s.Admin()).json(t, "GET", "/api/v1/users?q="+strings.Repeat("a", 1<<14), nil).wants(t, 400, "P4: a long search")
	for _, path := range []string{"/reset?token=a%0d%0aSet-Cookie:x=1", "/static/..%2f..%2fgo.mod", "/static/%2e%2e/x", "/api/v1/users/%00", "//evil.example/..", "/api/v1/users/me%2f..%2f..", "/static/a%00.css"} {
		if got := as(s, "").json(t, "GET", path, nil); got.status < 400 || got.header.Get("Set-Cookie") != "" || got.header.Get("Location") != "" {
			t.Errorf("P6, S5: %s answered %d %v", path, got.status, got.header)
		}
	}
	c := s.CreateClient(keystone.Client{})
	rotated := as(s, s.Admin()).json(t, "POST", "/api/v1/admin/clients/"+c.ID+"/secret", nil)
	link := as(s, s.Admin()).json(t, "POST", "/api/v1/users/"+u.ID+"/password-reset", nil)
	_, linkValue, _ := strings.Cut(link.text("reset_url"), "token=")
	as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": "canary-typed-password", "password": "canary-wrong-password"})
	secrets := []string{u.Password, tokens.AccessToken, tokens.RefreshToken, c.Secret, rotated.text("client_secret"), linkValue, "canary-typed-password", "canary-wrong-password", s.MasterKey}
	read := ""
	for _, path := range []string{"/api/v1/users", "/api/v1/users/" + u.ID, "/api/v1/admin/clients", "/api/v1/admin/clients/" + c.ID + "/secrets", "/api/v1/admin/keys", "/api/v1/admin/sessions", "/api/v1/admin/audit?limit=200", "/api/v1/admin/settings", "/openapi.json"} {
		read += as(s, s.Admin()).json(t, "GET", path, nil).body
	}
	if strings.Contains(read, "$argon2") {
		t.Error("N4: a hash is shown")
	}
	dump := ""
	files, _ := filepath.Glob(s.DatabaseURL + "*")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		dump += string(b)
	}
	for i, secret := range secrets {
		if len(secret) < 12 {
			t.Fatalf("canary %d was not made", i)
		}
		if strings.Contains(read, secret) {
			t.Errorf("P7, N4: canary %d is in an answer", i)
		}
		if strings.Contains(dump, secret) {
			t.Errorf("S7: canary %d is in the database", i)
		}
	}
}

// P10: only listed origins read, exactly compared; credentials never at token endpoints.
func TestAttackP10_CORS(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"ALLOWED_ORIGINS": "https://app.example"}))
	for _, origin := range []string{"null", "https://evil.example", "https://app.example.evil.example", "https://app.example:443", "http://app.example", "https://APP.example", "https://app.example/", "https://xapp.example", "*"} {
		for _, path := range []string{"/api/v1/users/me", "/oauth2/token", "/api/v1/admin/keys", "/openapi.json"} {
			for _, method := range []string{"GET", "OPTIONS"} {
				got := as(s, "").with("Origin", origin).with("Access-Control-Request-Method", "POST").json(t, method, path, nil)
				if got.header.Get("Access-Control-Allow-Origin") != "" || got.header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s %s for %s: %v", method, path, origin, got.header)
				}
			}
		}
	}
	if got := as(s, "").with("Origin", "https://app.example").json(t, "GET", "/oauth2/jwks", nil); got.header.Get("Access-Control-Allow-Origin") != "https://app.example" || got.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("a listed origin at a token endpoint: %v", got.header)
	}
	for _, path := range []string{"/setup", "/reset", "/health"} {
		if got := as(s, "").with("Origin", "https://app.example").json(t, "GET", path, nil); got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s may be read by scripts of other origins", path)
		}
	}
}

// Q1, Q10: bombs and nonsense get a quick 4xx, never a fault.
func TestAttackQ_Bombs(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		admin := s.Admin()
		login := "/api/v1/auth/login"
		for name, body := range map[string]string{
			"depth":              `{"username":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`,
			"duplicate":          `{"username":"a","username":"b","password":"x"}`,
			"duplicate, escaped": `{"username":"a","\u0075sername":"b","password":"x"}`,
			"case":               `{"Username":"a","password":"x"}`,
			"NUL":                `{"username":"a\u0000b","password":"x"}`,
			"lone surrogate":     `{"username":"\ud800","password":"x"}`,
			"UTF-8":              "{\"username\":\"\xff\",\"password\":\"x\"}",
			"number":             `{"username":1e999,"password":"x"}`,
			"digits":             `{"username":` + strings.Repeat("9", 100000) + `}`,
			"wrong type":         `{"username":["a"],"password":{}}`,
			"array":              `[]`,
			"null":               `null`,
			"trailing":           `{"username":"a","password":"x"}{}`,
			"empty":              ``,
			"100,000 names":      `{` + strings.TrimSuffix(strings.Repeat(`"a":1,`, 100000), ",") + `}`,
			"1 MiB password":     `{"username":"a","password":"` + strings.Repeat("x", 1<<20-50) + `"}`,
			"1025 byte password": `{"username":"a","password":"` + strings.Repeat("x", 1025) + `"}`,
			"BOM":                "\ufeff{}",
		} {
			start := time.Now()
			got := as(s, "").json(t, "POST", login, body)
			if got.status != 400 || time.Since(start) > 5*time.Second {
				t.Errorf("%s: answered %d after %v: %.200s", name, got.status, time.Since(start), got.body)
			}
		}
		as(s, "").json(t, "POST", login, strings.Repeat(" ", 10<<20)).wants(t, 413, "10 MiB")
		c := s.CreateClient(keystone.Client{})
		for _, seconds := range []string{"-1", "0", "9", "86401", "9223372036854775807", "9223372036854775808", "18446744073710", "1e3", "1.5", `"60"`, "1e300"} {
			got := as(s, admin).json(t, "PATCH", "/api/v1/admin/clients/"+c.ID, `{"access_token_ttl_seconds":`+seconds+`}`)
			got.wants(t, 400, "access_token_ttl_seconds %s", seconds)
			if seconds == "0" || seconds == "9" || seconds == "86401" {
				continue
			}
			as(s, admin).json(t, "POST", "/api/v1/admin/clients/"+c.ID+"/secret", `{"overlap_seconds":`+seconds+`}`).wants(t, 400, "overlap_seconds %s", seconds)
		}
		for _, list := range []string{"/api/v1/users", "/api/v1/users?q=a", "/api/v1/admin/roles", "/api/v1/admin/scopes", "/api/v1/admin/clients", "/api/v1/admin/sessions", "/api/v1/admin/audit"} {
			join := "?"
			if strings.Contains(list, "?") {
				join = "&"
			}
			for _, limit := range []string{"0", "-1", "201", "99999999999999999999", "1e2", "0x10", "+5", "1;drop", ""} {
				if got := as(s, admin).json(t, "GET", list+join+"limit="+url.QueryEscape(limit), nil); got.status != 400 && limit != "" && limit != "+5" {
					t.Errorf("%s limit=%s answered %d", list, limit, got.status)
				}
			}
			for _, cursor := range []string{"!", "a", b64("x"), b64("\x1f"), b64("'; DROP TABLE users; --"), b64("a\x1fb"), b64("\U0010FFFF"), b64("-9223372036854775808"), b64("99999999999999999999"), b64("a\x00"), b64("\xff\xfe"), b64(strings.Repeat("a", 5000)), b64("a\x1f" + keystone.NewID(time.Now()))} {
				if got := as(s, admin).json(t, "GET", list+join+"cursor="+url.QueryEscape(cursor), nil); got.status >= 500 {
					t.Errorf("%s cursor %q answered %d %s", list, cursor, got.status, got.body)
				}
			}
			as(s, admin).json(t, "GET", list+join+"limit=1&limit=2", nil).wants(t, 400, "%s: twice", list)
		}
		as(s, admin).json(t, "GET", "/api/v1/admin/audit?action=user.create", nil).wants(t, 400, "an action that there is not")
		for _, q := range []string{"from=0001-01-01T00:00:00Z", "from=9999-12-31T23:59:59Z", "to=0000-01-01T00:00:00Z", "from=x", "action=%25", "action=.", "actor=%00", "target=" + strings.Repeat("a", 10000)} {
			if got := as(s, admin).json(t, "GET", "/api/v1/admin/audit?"+q, nil); got.status >= 500 {
				t.Errorf("audit?%.50s answered %d %s", q, got.status, got.body)
			}
		}
		form := as(s, "").with("Content-Type", "application/x-www-form-urlencoded")
		for name, body := range map[string]string{
			"parameters": strings.Repeat("a&", 5000), "percent": "grant_type=%zz", "NUL": "grant_type=a%00", "UTF-8": "grant_type=%ff",
			"twice": "grant_type=a&grant_type=b", "100,000 resources": "client_id=keystone&grant_type=refresh_token&refresh_token=x" + strings.Repeat("&resource=a", 255),
		} {
			if got := form.send(t, "POST", "/oauth2/token", []byte(body)); got.status != 400 && got.status != 401 {
				t.Errorf("form, %s: answered %d %s", name, got.status, got.body)
			}
		}
		form.send(t, "POST", "/oauth2/token", make([]byte, 1<<20)).wants(t, 413, "a form of 1 MiB")
	})
}

// R2, R4, R9: headers decide nothing, and a request has one length.
func TestAttackR_HeadersAndSmuggling(t *testing.T) {
	s := keystonetest.Start(t)
	u := s.CreateUser("proxied")
	token := s.SignIn(u).AccessToken
	a := as(s, "")
	for _, h := range []string{"X-Original-URI", "X-Forwarded-Uri", "X-Rewrite-Url", "X-Forwarded-User", "X-Auth-Request-User", "X-HTTP-Method-Override", "X_Forwarded_For", "Connection"} {
		a = a.with(h, "/api/v1/admin/keys")
	}
	a.json(t, "GET", "/api/v1/users/me", nil).wants(t, 401, "R2: nobody")
	as(s, token).with("X-HTTP-Method-Override", "DELETE").json(t, "GET", "/api/v1/users/me", nil).wants(t, 200, "R2: the method is the method")
	as(s, "").with("User-Agent", "kube-probe/1.30").json(t, "GET", "/metrics", nil).wants(t, 404, "R4: metrics by user agent")
	as(s, "").json(t, "GET", "/debug/pprof/", nil).wants(t, 404, "R4: pprof on the public listener")
	var last map[string]any
	for _, id := range []string{"evil\tid-with-tab", "short", strings.Repeat("a", 65), "<script>alert</script>", `","x":"`, "good-request-id"} {
		got := as(s, "").with("X-Request-Id", id).json(t, "GET", "/api/v1/users/me", nil)
		if echoed := got.header.Get("X-Request-Id"); (echoed == id) != (id == "good-request-id") {
			t.Errorf("request id %q became %q", id, echoed)
		}
		last = got.fields
	}
	if last["request_id"] != "good-request-id" {
		t.Error("the request id of the body is another one")
	}
	for name, raw := range map[string]string{
		"length and chunks": "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
		"two lengths":       "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcdGET /api/v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
		"bad chunk":         "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET /api/v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
		"obs-fold":          "GET /health HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET /api/v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
		"xchunked":          "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /api/v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := fmt.Fprint(conn, raw); err != nil {
			t.Fatal(err)
		}
		all, _ := io.ReadAll(bufio.NewReader(conn))
		_ = conn.Close()
		if n := strings.Count(string(all), "HTTP/1.1 "); n != 1 || strings.Contains(string(all), "HTTP/1.1 404") {
			t.Errorf("R9, %s: %d answers to one request: %.400s", name, n, all)
		}
	}
}

// S2, S4: one name has one key, and no two names look alike by mixing scripts.
func TestAttackS2_Names(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		register := func(name, email string) answer {
			return as(s, "").json(t, "POST", "/api/v1/auth/register", m{"username": name, "email": email, "password": "a good password for tests"})
		}
		register("victor", "Victor@Example.com").wants(t, 201, "the first")
		for _, name := range []string{"VICTOR", "Victor", "ｖｉｃｔｏｒ", "VICTOR"} {
			register(name, "other@example.com").wants(t, 409, "S2: %q", name)
		}
		for _, name := range []string{"victоr", "vіctor", "vic\u200btor", "victor ", " victor", "vic\u202etor", "victor@example.com", "vict\u00ador", "", "...", "a/b", "ⓥictor", "victor\u0000", "ªvictor"} {
			register(name, "other@example.com").wants(t, 400, "S2: %q", name)
		}
		for _, email := range []string{"victor@example.com", "VICTOR@EXAMPLE.COM"} {
			register("another", email).wants(t, 409, "S2: %s", email)
		}
		for _, email := range []string{"vıctor@example.com", "victor@exаmple.com", "a@b@c.com", `"a b"@example.com`, "x@example.com\r\nBcc: y@example.com", "<a>@example.com", "a@-x.com", "a@x..com"} {
			register("another", email).wants(t, 400, "S2: %q", email)
		}
		for _, login := range []string{"Victor", "VICTOR@example.com", "ＶＩＣＴＯＲ"} {
			as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": login, "password": "a good password for tests"}).wants(t, 200, "sign in as %s", login)
		}
	})
}

// P: whatever token is issued is one that Keystone accepts: a person with very many
// scopes is told to ask for fewer, and never gets a token that is too large.
func TestAttackP_TokensAreNeverTooLarge(t *testing.T) {
	s := keystonetest.Start(t)
	var names []string
	for i := range 400 {
		names = append(names, fmt.Sprintf("orders.department%03d:read", i))
	}
	s.CreateScope(names...)
	s.CreateRole("first-half", names[:200]...)
	s.CreateRole("second-half", names[200:]...)
	u := s.CreateUser("everywhere", "first-half", "second-half")
	login := func(scopes []string) answer {
		return as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": u.Username, "password": u.Password, "scope": strings.Join(scopes, " ")})
	}
	a := login(nil)
	a.wants(t, 400, "everything at once")
	if a.text("error") != "invalid_request" || !strings.Contains(a.text("error_description"), "fewer") {
		t.Error(a.body)
	}
	most := 0
	for n := 1; n <= len(names); n += 7 {
		a := login(names[:n])
		if a.status == 400 {
			break
		}
		a.wants(t, 200, "%d scopes", n)
		as(s, a.text("access_token")).json(t, "GET", "/api/v1/users/me", nil).wants(t, 200, "the token with %d scopes", n)
		most = n
	}
	if most < 100 {
		t.Errorf("only %d scopes fit", most)
	}
}

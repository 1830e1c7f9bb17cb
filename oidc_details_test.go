package keystone_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

const (
	onePaid  = `{"amount":{"amount":"123.50","currency":"EUR"},"creditor":"Merchant A","type":"payment_initiation"}`
	otherPay = `{"amount":{"amount":"9","currency":"CHF"},"creditor":"\u003cB\u003e","type":"payment_initiation"}`
)

// withDetails declares the types of paymentTypes.
func withDetails(t *testing.T) keystonetest.Option {
	t.Helper()
	file := filepath.Join(t.TempDir(), "details.json")
	if err := os.WriteFile(file, []byte(paymentTypes), 0o600); err != nil {
		t.Fatal(err)
	}
	return keystonetest.WithSettings(map[string]string{"AUTHORIZATION_DETAILS_FILE": file})
}

func shopClient(s *keystonetest.Server, more ...func(*keystone.Client)) keystonetest.Client {
	c := keystone.Client{Name: "Shop", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid", "offline_access"},
		Grants:         []string{keystone.GrantAuthorizationCode, keystone.GrantRefreshToken, keystone.GrantDeviceCode, keystone.GrantCIBA, keystone.GrantClientCredentials},
		ClientSettings: keystone.ClientSettings{DetailTypes: []string{"payment_initiation"}}}
	for _, change := range more {
		change(&c)
	}
	return s.CreateClient(c)
}

// detailsOf is authorization_details of an answer, as text.
func detailsOf(t *testing.T, from map[string]any) string {
	t.Helper()
	if from["authorization_details"] == nil {
		return ""
	}
	text, err := json.Marshal(from["authorization_details"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// carried checks that details are in the answer, in the token and in introspection.
func carried(t *testing.T, s *keystonetest.Server, c keystonetest.Client, tokens map[string]any, want string) {
	t.Helper()
	access, _ := tokens["access_token"].(string)
	_, seen := postForm(t, s, "/oauth2/introspect", credentials(c, "token", access))
	got := map[string]string{"answer": detailsOf(t, tokens), "introspection": detailsOf(t, seen)}
	if strings.Count(access, ".") == 2 {
		got["token"] = detailsOf(t, idClaims(t, access))
	}
	for where, text := range got {
		if text != want {
			t.Errorf("%s: %q, want %q", where, text, want)
		}
	}
}

// TestDetailsFlow is the whole way of RFC 9396: through the browser, pushed and
// signed; shown, allowed, carried, narrowed.
func TestDetailsFlow(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, k := s.CreateUser("jane"), newClientKey(t, "ES256", "a")
		both := "[" + onePaid + "," + otherPay + "]"
		keys := func(c *keystone.Client) { c.JWKS = jwks(t, k) }
		for name, app := range map[string]keystonetest.Client{"jwt": shopClient(s, keys), "opaque": shopClient(s, keys, func(c *keystone.Client) { c.AccessTokenFormat = keystone.FormatOpaque })} {
			b := newBrowser(t, s)
			b.open(authorizeURL(s, app, "scope", "openid offline_access", "authorization_details", both))
			b.signIn(jane)
			b.at("authorization-details")
			for _, want := range []string{"Pay 123.50 EUR to Merchant A", "Pay 9 CHF to &lt;B&gt;", "<dt>To</dt><dd>Merchant A</dd>", "<dt>Amount, currency</dt><dd>CHF</dd>"} {
				if !strings.Contains(b.page.body, want) {
					t.Errorf("%s: the question does not show %q:\n%s", name, want, b.page.body)
				}
			}
			b.submit(map[string]string{"decision": "allow"})
			status, tokens := redeem(t, s, app, b.answer().Get("code"))
			if status != http.StatusOK {
				t.Fatalf("%d %v", status, tokens)
			}
			carried(t, s, app, tokens, both)
			// A refresh narrows the token, and not the grant (section 6).
			_, fresh := refreshed(t, s, app, tokens["refresh_token"], "authorization_details", "["+otherPay+"]")
			carried(t, s, app, fresh, "["+otherPay+"]")
			_, seen := postForm(t, s, "/oauth2/introspect", credentials(app, "token", fresh["refresh_token"].(string)))
			if detailsOf(t, seen) != both {
				t.Errorf("the grant: %v", seen)
			}
			more := strings.Replace(onePaid, "123.50", "999", 1)
			if status, answer := refreshed(t, s, app, fresh["refresh_token"], "authorization_details", "["+more+"]"); status != http.StatusBadRequest || answer["error"] != "invalid_authorization_details" {
				t.Errorf("more than allowed: %d %v", status, answer)
			}
			_, fresh = refreshed(t, s, app, fresh["refresh_token"])
			carried(t, s, app, fresh, both)
			// What was allowed covers nothing else, and not the same again.
			b.open(authorizeURL(s, app, "scope", "openid", "authorization_details", "["+onePaid+"]"))
			b.at("consent-allow")
			b.open(authorizeURL(s, app, "scope", "openid", "authorization_details", "["+onePaid+"]", "prompt", "none"))
			if got := b.answer(); got.Get("error") != "consent_required" {
				t.Errorf("without a page: %v", got)
			}
			b.open(authorizeURL(s, app, "scope", "openid"))
			if _, tokens := redeem(t, s, app, b.answer().Get("code")); detailsOf(t, tokens) != "" {
				t.Errorf("not asked for, and given: %v", tokens)
			}
			// Pushed, and signed, where it is a list.
			_, pushed := postForm(t, s, "/oauth2/par", credentials(app, "redirect_uri", callback, "response_type", "code", "scope", "openid", "code_challenge", challenge(), "code_challenge_method", "S256", "authorization_details", "["+onePaid+"]"))
			uri, _ := pushed["request_uri"].(string)
			for way, address := range map[string]string{
				"pushed": s.URL + "/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {uri}}.Encode(),
				"signed": byObject(s, app, k.sign(t, objectType, objectClaims(s, app.ID, "scope", "openid", "authorization_details", json.RawMessage("["+onePaid+"]")))),
				"quoted": byObject(s, app, k.sign(t, objectType, objectClaims(s, app.ID, "scope", "openid", "authorization_details", "["+onePaid+"]"))),
			} {
				b.open(address)
				b.at("authorization-details")
				b.submit(map[string]string{"decision": "allow"})
				code := b.answer().Get("code")
				if status, answer := redeem(t, s, app, code, "authorization_details", "["+otherPay+"]"); status != http.StatusBadRequest || answer["error"] != "invalid_authorization_details" {
					t.Errorf("%s, others at the token endpoint: %d %v", way, status, answer)
				}
				_, tokens := redeem(t, s, app, code, "authorization_details", "["+onePaid+"]")
				carried(t, s, app, tokens, "["+onePaid+"]")
			}
		}
		var trail struct {
			Items []struct {
				Detail json.RawMessage `json:"detail"`
			} `json:"items"`
		}
		s.Call(http.MethodGet, "/api/v1/admin/audit?action=code.redeemed&limit=200", s.Admin(), nil, &trail)
		text, _ := json.Marshal(trail)
		if !strings.Contains(string(text), "payment_initiation") || strings.Contains(string(text), "Merchant") {
			t.Errorf("the trail names types, and not what they say: %s", text)
		}
	}, withDetails(t))
}

// TestDetailsElsewhere: a device and a backchannel request ask in detail too.
func TestDetailsElsewhere(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, app := s.CreateUser("jane"), shopClient(s)
		details := "[" + onePaid + "]"
		b := newBrowser(t, s)
		a := startBack(t, s, app, "login_hint", "jane", "scope", "openid", "authorization_details", details)
		b.look(jane)
		if !strings.Contains(b.page.body, "Pay 123.50 EUR to Merchant A") {
			t.Errorf("not shown:\n%s", b.page.body)
		}
		b.says("allow")
		s.Clock.Move(2 * time.Second)
		if status, answer := a.poll(s, "authorization_details", "["+otherPay+"]"); status != http.StatusBadRequest || answer["error"] != "invalid_authorization_details" {
			t.Errorf("others: %d %v", status, answer)
		}
		_, tokens := a.poll(s)
		carried(t, s, app, tokens, details)
		status, answer := postForm(t, s, "/oauth2/device_authorization", credentials(app, "scope", "openid", "authorization_details", details))
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, answer)
		}
		d := device{t: t, s: s, client: app, code: answer["device_code"].(string), userCode: answer["user_code"].(string)}
		d.allow(b, jane)
		s.Clock.Move(2 * time.Second)
		_, tokens = d.poll(s)
		carried(t, s, app, tokens, details)
	}, withDetails(t))
}

// TestDetailsRefused: every way in refuses what is not declared, not the client's or
// not as its type says, and grants by which nobody is asked refuse all.
func TestDetailsRefused(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateUser("jane")
		app, plain := shopClient(s), shopClient(s, func(c *keystone.Client) { c.DetailTypes = nil })
		good := "[" + onePaid + "]"
		for name, test := range map[string]struct {
			client  keystonetest.Client
			details string
		}{
			"a client without types": {plain, good}, "another type": {app, `[{"type":"https://api.example/files","locations":["https://a.example"]}]`}, "unknown": {app, `[{"type":"x"}]`},
			"an object": {app, onePaid}, "a member too many": {app, strings.Replace(good, `"creditor"`, `"debtor":"me","creditor"`, 1)}, "too large": {app, "[" + strings.Repeat(" ", 9000) + onePaid + "]"},
		} {
			b := newBrowser(t, s)
			b.open(authorizeURL(s, test.client, "scope", "openid", "authorization_details", test.details))
			if got := b.answer(); got.Get("error") != "invalid_authorization_details" {
				t.Errorf("%s: %v", name, got)
			}
			for path, pairs := range map[string][]string{
				"/oauth2/par": {"redirect_uri", callback, "response_type", "code", "scope", "openid", "code_challenge", challenge(), "code_challenge_method", "S256"}, "/oauth2/device_authorization": {"scope", "openid"}, "/oauth2/bc-authorize": {"scope", "openid", "login_hint", "jane"},
			} {
				if status, answer := postForm(t, s, path, credentials(test.client, append(pairs, "authorization_details", test.details)...)); status != http.StatusBadRequest || answer["error"] != "invalid_authorization_details" {
					t.Errorf("%s at %s: %d %v", name, path, status, answer)
				}
			}
		}
		if status, answer := postForm(t, s, "/oauth2/token", credentials(app, "grant_type", "client_credentials", "authorization_details", good)); status != http.StatusBadRequest || answer["error"] != "invalid_authorization_details" {
			t.Errorf("client_credentials: %d %v", status, answer)
		}
		var facts map[string]any
		s.Call(http.MethodGet, "/.well-known/oauth-authorization-server", "", nil, &facts)
		if list, _ := facts["authorization_details_types_supported"].([]any); len(list) != 2 || list[1] != "payment_initiation" {
			t.Errorf("%v", facts["authorization_details_types_supported"])
		}
		for kind, want := range map[string]int{"web": http.StatusCreated, "service": http.StatusBadRequest} {
			if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), map[string]any{"name": "x", "kind": kind, "authorization_details_types": []string{"payment_initiation"}}, nil); status != want {
				t.Errorf("%s: %d", kind, status)
			}
		}
	}, withDetails(t))
	registers := keystonetest.Start(t, withDetails(t), keystonetest.WithSettings(map[string]string{"CLIENT_REGISTRATION": "open", "CLIENT_REGISTRATION_SCOPES": "openid"}))
	var refused map[string]any
	if status := registers.Call(http.MethodPost, "/oauth2/register", "", map[string]any{"redirect_uris": []string{callback}, "authorization_details_types": []string{"payment_initiation"}}, &refused); status != http.StatusBadRequest || refused["error"] != "invalid_client_metadata" {
		t.Errorf("a stranger registers a type: %d %v", status, refused)
	}
	s := keystonetest.Start(t) // where nothing is declared
	app := shopClient(s)
	b := newBrowser(t, s)
	b.open(authorizeURL(s, app, "scope", "openid", "authorization_details", "["+onePaid+"]"))
	if got := b.answer(); got.Get("error") != "invalid_authorization_details" {
		t.Errorf("nothing is declared: %v", got)
	}
}

// TestDetailsTakenBack: a type that is taken from the client leaves with the next
// token, at every way out.
func TestDetailsTakenBack(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, app := s.CreateUser("jane"), shopClient(s)
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app, "scope", "openid offline_access", "authorization_details", "["+onePaid+"]"))
		b.signIn(jane)
		b.submit(map[string]string{"decision": "allow"})
		_, tokens := redeem(t, s, app, b.answer().Get("code"))
		carried(t, s, app, tokens, "["+onePaid+"]")
		b.open(authorizeURL(s, app, "scope", "openid", "authorization_details", "["+onePaid+"]"))
		b.submit(map[string]string{"decision": "allow"})
		code := b.answer().Get("code")
		// Somebody who exchanges the token gets a token without them (RFC 8693).
		broker := s.CreateClient(keystone.Client{Name: "Broker", Kind: keystone.ClientService, Grants: []string{keystone.GrantTokenExchange}, Scopes: []string{"openid"},
			ClientSettings: keystone.ClientSettings{TokenExchange: []keystone.ExchangeRule{{ClientID: app.ID, Mode: keystone.ExchangeDelegation}}}})
		exchange := []string{"grant_type", keystone.GrantTokenExchange, "subject_token", tokens["access_token"].(string), "subject_token_type", "urn:ietf:params:oauth:token-type:access_token"}
		status, exchanged := postForm(t, s, "/oauth2/token", credentials(broker, exchange...))
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, exchanged)
		}
		carried(t, s, broker, exchanged, "")
		if status, answer := postForm(t, s, "/oauth2/token", credentials(broker, append(exchange, "authorization_details", "["+onePaid+"]")...)); status != http.StatusBadRequest || answer["error"] != "invalid_authorization_details" {
			t.Errorf("asked for in an exchange: %d %v", status, answer)
		}
		s.Call(http.MethodPatch, "/api/v1/admin/clients/"+app.ID, s.Admin(), map[string]any{"authorization_details_types": []string{}}, nil)
		s.Clock.Move(2 * time.Second)
		var late map[string]any
		if status, late = redeem(t, s, app, code); status != http.StatusOK {
			t.Fatalf("%d %v", status, late)
		}
		carried(t, s, app, late, "")
		_, fresh := refreshed(t, s, app, tokens["refresh_token"])
		carried(t, s, app, fresh, "")
		if status, answer := refreshed(t, s, app, fresh["refresh_token"], "authorization_details", "["+onePaid+"]"); status != http.StatusBadRequest || answer["error"] != "invalid_authorization_details" {
			t.Errorf("%d %v", status, answer)
		}
	}, withDetails(t))
}

package keystone_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

// TestRedirectURIs are those that may be registered, by kind of client.
func TestRedirectURIs(t *testing.T) {
	every := "web spa native"
	for _, test := range []struct{ uri, kinds string }{
		{"https://app.example.com/callback", every},
		{"https://app.example.com", every},
		{"https://app.example.com:8443/cb?tenant=1", every},
		{"https://app.example.com/a%20b;v=1", every},
		{"https://app.example.com/a..b/...", every},
		{"https://192.0.2.7/cb", every},
		{"https://[2001:db8::1]/cb", every},
		{"http://127.0.0.1/cb", every}, // RFC 8252 section 7.3
		{"http://127.0.0.1:51004/cb", every},
		{"http://127.9.9.9/cb", every},
		{"http://[::1]:9000/cb", every},
		{"http://localhost/cb", every},
		{"com.example.app:/callback", "native"}, // RFC 8252 section 7.1
		{"com.example.app:callback", "native"},
		{"com.example.app://callback", "native"},
	} {
		for _, kind := range []keystone.ClientKind{keystone.ClientWeb, keystone.ClientSPA, keystone.ClientNative} {
			why := keystone.RedirectURIProblem(test.uri, kind)
			if may := slices.Contains(strings.Fields(test.kinds), string(kind)); (why == "") != may {
				t.Errorf("%s for %s: %q", test.uri, kind, why)
			}
		}
	}
}

// TestAlwaysAsks: whose answers go where the person saw them go, and to nobody who only
// says that name.
func TestAlwaysAsks(t *testing.T) {
	const good, evil = "https://accounts.good.example/cb", "https://evil.example/cb"
	for _, test := range []struct {
		what string
		uris []string
		// of a public client and of a confidential one
		public, confidential bool
	}{
		{"one", []string{good}, false, false},
		{"one host", []string{good, "https://ACCOUNTS.good.example:443/other?x"}, false, false},
		{"two hosts", []string{good, evil}, true, true},
		{"a host and one below it", []string{good, "https://x.accounts.good.example/cb"}, true, true},
		{"two ports", []string{good, "https://accounts.good.example:8443/cb"}, true, true},
		{"loopback", []string{"http://127.0.0.1/cb"}, true, false},
		{"loopback by name", []string{"http://localhost/a", "http://localhost/b"}, true, false},
		{"private scheme", []string{"com.example.app:/cb"}, true, false},
		{"private scheme that names a host", []string{"com.example.app://accounts.good.example/cb", good}, true, true},
		{"loopback and elsewhere", []string{good, "http://127.0.0.1/cb"}, true, true},
		{"none", nil, false, false},
	} {
		for _, kind := range []keystone.ClientKind{keystone.ClientNative, keystone.ClientSPA, keystone.ClientWeb} {
			want := test.public
			if kind == keystone.ClientWeb {
				want = test.confidential
			}
			for stranger, c := range map[bool][]keystone.Client{
				true:  {{Registration: keystone.RegistrationDynamic, Unvouched: true}, {Registration: keystone.RegistrationDocument}},
				false: {{}, {Registration: keystone.RegistrationDynamic}},
			} {
				for _, c := range c {
					c.Kind, c.RedirectURIs = kind, test.uris
					if got := c.AlwaysAsks(); got != (want && stranger) {
						t.Errorf("%s, %s, stranger %t: %t", test.what, kind, stranger, got)
					}
				}
			}
		}
	}
	if got := keystone.DisplayHost("com.evil.app://accounts.good.example/cb"); got == "accounts.good.example" {
		t.Errorf("a private scheme is shown as %s", got)
	}
}

// TestRedirectURIsRefused is SECURITY.md A4 and its class: none of these may be
// registered, by any kind of client.
func TestRedirectURIsRefused(t *testing.T) {
	for _, test := range []struct{ name, uri string }{
		{"empty", ""},
		{"relative", "/callback"},
		{"without scheme", "app.example.com/callback"},
		{"scheme-relative", "//app.example.com/callback"},
		{"no host", "https:///callback"},
		{"port without host", "https://:443/callback"},
		{"opaque", "https:callback"},
		{"wildcard in path", "https://app.example.com/*"},
		{"wildcard in host", "https://*.example.com/cb"},
		{"fragment", "https://app.example.com/cb#x"},
		{"empty fragment", "https://app.example.com/cb#"},
		{"user info", "https://client.example@evil.example/cb"},
		{"user info with password", "https://a:b@evil.example/cb"},
		{"empty user info", "https://@evil.example/cb"},
		{"port then user info", "http://127.0.0.1:80@evil.example/"},
		{"javascript", "javascript:alert(1)"},
		{"javascript in capitals", "JavaScript:alert(1)"},
		{"javascript with slashes", "javascript://x/%0aalert(1)"},
		{"data", "data:text/html,x"},
		{"vbscript", "vbscript:x"},
		{"file", "file:///etc/passwd"},
		{"blob", "blob:https://app.example.com/1"},
		{"about", "about:blank"},
		{"http", "http://app.example.com/cb"},
		{"http on a name that starts like loopback", "http://localhost.evil.example/"},
		{"http on an address that starts like loopback", "http://127.0.0.1.evil.example/"},
		{"http on short loopback", "http://127.1/"},
		{"http on decimal loopback", "http://2130706433/"},
		{"http on octal loopback", "http://0177.0.0.1/"},
		{"http on hexadecimal loopback", "http://0x7f.0.0.1/"},
		{"http on every address", "http://0.0.0.0/"},
		{"http on a private address", "http://10.0.0.1/"},
		{"http on link-local", "http://169.254.169.254/"},
		{"dot segment", "https://app.example.com/a/../b"},
		{"dot segment at the end", "https://app.example.com/a/.."},
		{"single dot", "https://app.example.com/./a"},
		{"encoded dot segment", "https://app.example.com/%2e%2e/b"},
		{"half encoded dot segment", "https://app.example.com/.%2E/b"},
		{"bad escape", "https://app.example.com/%zz"},
		{"escaped host", "https://app%2eexample.com/"},
		{"space", "https://app.example.com/a b"},
		{"space before", " https://app.example.com/"},
		{"tab", "https://app.example.com/\ta"},
		{"line break", "https://app.example.com/\r\nSet-Cookie:x"},
		{"NUL", "https://app.example.com/\x00"},
		{"backslash", `https://app.example.com\@evil.example/`},
		{"quote", `https://app.example.com/"onload="`},
		{"angle brackets", "https://app.example.com/<script>"},
		{"international host", "https://bücher.example/"},
		{"full width", "https://ａpp.example.com/"},
		{"bad port", "https://app.example.com:port/"},
		{"broken address", "https://[::1/"},
		{"private scheme without dot", "myapp:/callback"},
		{"private scheme with nothing", "com.example.app:"},
		{"too long", "https://app.example.com/" + strings.Repeat("a", 2000)},
	} {
		for _, kind := range []keystone.ClientKind{keystone.ClientWeb, keystone.ClientSPA, keystone.ClientNative} {
			if keystone.RedirectURIProblem(test.uri, kind) == "" {
				t.Errorf("%s: a %s client may register %q", test.name, kind, test.uri)
			}
		}
	}
}

// FuzzRedirectURI: whatever may be registered is an absolute URI that browsers
// and this program read alike, without the parts that have opened redirects.
func FuzzRedirectURI(f *testing.F) {
	for _, s := range []string{"https://app.example.com/cb", "http://127.0.0.1:1/cb", "com.example.app:/cb", "https://a@b/", "https://a/%2e%2e/",
		`https://a\@b`, "http://[::1]:1/", "HTTPS://A/", "https://a/#", "javascript:x", "https://a:1:2/", "a.b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range []keystone.ClientKind{keystone.ClientWeb, keystone.ClientSPA, keystone.ClientNative} {
			if keystone.RedirectURIProblem(s, kind) != "" {
				continue
			}
			u, err := url.Parse(s)
			if err != nil || !u.IsAbs() || u.User != nil || u.Fragment != "" || strings.ContainsAny(s, "#*\\<>\" \t\r\n\x00") {
				t.Fatalf("%q may be registered", s)
			}
			switch {
			case u.Scheme == "https" && u.Hostname() != "":
			case u.Scheme == "http" && keystone.IsLoopbackHost(u.Hostname()):
			case kind == keystone.ClientNative && strings.Contains(u.Scheme, "."):
			default:
				t.Fatalf("%q may be registered by a %s client", s, kind)
			}
			if host := u.Host; strings.ContainsAny(host, "@/?%") && !strings.HasPrefix(host, "[") {
				t.Fatalf("%q has the host %q", s, host)
			}
		}
	})
}

func TestIsLoopbackHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.255.0.1": true, "::1": true,
		"": false, "LOCALHOST.evil": false, "localhost.": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "127.0.0.1:80": false, "example.com": false,
	} {
		if got := keystone.IsLoopbackHost(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func validClient() keystone.Client {
	return keystone.Client{Name: "Shop", Kind: keystone.ClientWeb, Enabled: true, RedirectURIs: []string{"https://shop.example.com/cb"},
		Scopes: []string{"orders:read"}, Audiences: []string{"https://api.example.com"}}.WithDefaults()
}

func TestClientValidate(t *testing.T) {
	valid := validClient()
	if err := valid.Validate(); err != nil {
		t.Fatal(err)
	}
	service := func(c *keystone.Client) {
		c.Kind, c.RedirectURIs, c.Grants = keystone.ClientService, nil, []string{keystone.GrantClientCredentials}
	}
	for _, test := range []struct {
		name   string
		change func(*keystone.Client)
		field  string
	}{
		{"service", service, ""},
		{"web may have both", func(c *keystone.Client) { c.Grants = append(c.Grants, keystone.GrantClientCredentials) }, ""},
		{"shortest life", func(c *keystone.Client) { c.AccessTokenTTL = 10 * time.Second }, ""},
		{"longest life", func(c *keystone.Client) { c.AccessTokenTTL = 24 * time.Hour }, ""},
		{"first-party spa", func(c *keystone.Client) { c.Kind, c.FirstParty = keystone.ClientSPA, true }, ""},
		{"audience that is a name", func(c *keystone.Client) { c.Audiences = []string{"api"} }, ""},
		{"no name", func(c *keystone.Client) { c.Name = "" }, "name"},
		{"name too long", func(c *keystone.Client) { c.Name = strings.Repeat("x", 101) }, "name"},
		{"name with control", func(c *keystone.Client) { c.Name = "a\x1b[31m" }, "name"},
		{"kind", func(c *keystone.Client) { c.Kind = "root" }, "kind"},
		{"no kind", func(c *keystone.Client) { c.Kind = "" }, "kind"},
		{"scope name", func(c *keystone.Client) { c.Scopes = []string{`a"b`} }, "scopes"},
		{"too many scopes", func(c *keystone.Client) { c.Scopes = make([]string, 201) }, "scopes"},
		{"password grant", func(c *keystone.Client) { c.Grants = []string{"password"} }, "grants"},
		{"implicit grant", func(c *keystone.Client) { c.Grants = []string{"implicit"} }, "grants"},
		{"client_credentials of an spa", func(c *keystone.Client) {
			c.Kind, c.Grants = keystone.ClientSPA, []string{keystone.GrantClientCredentials}
		}, "grants"},
		{"client_credentials of a native client", func(c *keystone.Client) {
			c.Kind, c.Grants = keystone.ClientNative, []string{keystone.GrantClientCredentials}
		}, "grants"},
		{"refresh_token of a service", func(c *keystone.Client) { service(c); c.Grants = []string{keystone.GrantRefreshToken} }, "grants"},
		{"code of a service", func(c *keystone.Client) { service(c); c.Grants = []string{keystone.GrantAuthorizationCode} }, "grants"},
		{"redirect of a service", func(c *keystone.Client) { service(c); c.RedirectURIs = []string{"https://a.example/cb"} }, "redirect_uris"},
		{"redirect", func(c *keystone.Client) { c.RedirectURIs = []string{"https://a.example/cb", "https://a.example/*"} }, "redirect_uris"},
		{"too many redirects", func(c *keystone.Client) { c.RedirectURIs = make([]string, 51) }, "redirect_uris"},
		{"empty audience", func(c *keystone.Client) { c.Audiences = []string{""} }, "audiences"},
		{"audience with space", func(c *keystone.Client) { c.Audiences = []string{"a b"} }, "audiences"},
		{"audience with fragment", func(c *keystone.Client) { c.Audiences = []string{"https://a.example/#x"} }, "audiences"},
		{"audience not ASCII", func(c *keystone.Client) { c.Audiences = []string{"ä"} }, "audiences"},
		{"introspection of nothing", func(c *keystone.Client) { c.IntrospectionAudiences = []string{""} }, "introspection_audiences"},
		{"a public client introspects", func(c *keystone.Client) {
			c.Kind, c.IntrospectionAudiences = keystone.ClientSPA, []string{"https://api.example.com"}
		}, "introspection_audiences"},
		{"too many audiences", func(c *keystone.Client) { c.Audiences = make([]string, 51) }, "audiences"},
		{"format", func(c *keystone.Client) { c.AccessTokenFormat = "saml" }, "access_token_format"},
		{"life too short", func(c *keystone.Client) { c.AccessTokenTTL = time.Second }, "access_token_ttl_seconds"},
		{"life too long", func(c *keystone.Client) { c.AccessTokenTTL = 25 * time.Hour }, "access_token_ttl_seconds"},
		{"negative life", func(c *keystone.Client) { c.AccessTokenTTL = -time.Hour }, "access_token_ttl_seconds"},
		{"first-party web", func(c *keystone.Client) { c.FirstParty = true }, "first_party"},
	} {
		c := validClient()
		test.change(&c)
		if err := c.Validate(); test.field == "" && err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if test.field != "" {
			wantField(t, test.name, err, test.field)
		}
	}
}

// TestUnknownKind: of a client of no kind the kind alone is wrong, though what it may have
// follows from it.
func TestUnknownKind(t *testing.T) {
	c := keystone.Client{Name: "t", Kind: "foo", Enabled: true, RedirectURIs: []string{"https://a.example/cb"}, FirstParty: true}.WithDefaults()
	var refused *keystone.Error
	if err := c.Validate(); !errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields["kind"] == "" {
		t.Errorf("%v", refused)
	}
}

func TestClientDefaults(t *testing.T) {
	for kind, grants := range map[keystone.ClientKind]string{
		keystone.ClientService: "client_credentials",
		keystone.ClientWeb:     "authorization_code refresh_token",
		keystone.ClientSPA:     "authorization_code refresh_token",
		keystone.ClientNative:  "authorization_code refresh_token",
	} {
		c := keystone.Client{Kind: kind, Scopes: []string{"b", "a", "b"}}.WithDefaults()
		if strings.Join(c.Grants, " ") != grants || c.AccessTokenFormat != keystone.FormatJWT || strings.Join(c.Scopes, " ") != "a b" {
			t.Errorf("%s: %+v", kind, c)
		}
		if c.Confidential() != (kind == keystone.ClientService || kind == keystone.ClientWeb) {
			t.Errorf("%s: confidential %v", kind, c.Confidential())
		}
	}
	c := keystone.Client{Kind: keystone.ClientWeb, Grants: []string{keystone.GrantRefreshToken}, AccessTokenFormat: keystone.FormatOpaque}.WithDefaults()
	if !c.MayUse(keystone.GrantRefreshToken) || c.MayUse(keystone.GrantAuthorizationCode) || c.AccessTokenFormat != keystone.FormatOpaque {
		t.Errorf("defaults wrote over what was given: %+v", c)
	}
}

// TestClientAudience is RFC 8707 section 2: a token is for what was registered.
func TestClientAudience(t *testing.T) {
	const issuer = "https://id.example.com"
	c := keystone.Client{Audiences: []string{"https://api.example.com", "stock"}}
	for _, test := range []struct {
		name      string
		requested []string
		want      string
		refused   bool
	}{
		{"nothing: Keystone itself", nil, issuer, false},
		{"empty list: Keystone itself", []string{}, issuer, false},
		{"registered", []string{"stock"}, "stock", false},
		{"several, sorted and distinct", []string{"stock", "https://api.example.com", "stock"}, "https://api.example.com stock", false},
		{"Keystone by name", []string{issuer, "stock"}, issuer + " stock", false},
		{"foreign", []string{"https://other.example.com"}, "", true},
		{"one foreign among good", []string{"stock", "other"}, "", true},
		{"empty string", []string{""}, "", true},
		{"registered with a slash more", []string{"https://api.example.com/"}, "", true},
		{"other case", []string{"Stock"}, "", true},
	} {
		got, err := c.Audience(test.requested, issuer)
		var e *keystone.Error
		switch {
		case test.refused:
			if !asError(err, &e) || e.Code != "invalid_target" || got != nil {
				t.Errorf("%s: got %q, %v", test.name, got, err)
			}
		case err != nil || strings.Join(got, " ") != test.want:
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
}

func TestClientLogoutSettings(t *testing.T) {
	for _, test := range []struct {
		kind  keystone.ClientKind
		set   keystone.ClientSettings
		field string // that is refused; empty: none
	}{
		{keystone.ClientWeb, keystone.ClientSettings{BackchannelLogoutURI: "https://app.example/out", BackchannelLogoutSession: true}, ""},
		{keystone.ClientSPA, keystone.ClientSettings{BackchannelLogoutURI: "https://elsewhere.example/out?x=1"}, ""},
		{keystone.ClientWeb, keystone.ClientSettings{BackchannelLogoutURI: "http://app.example/out"}, "backchannel_logout_uri"},
		{keystone.ClientWeb, keystone.ClientSettings{BackchannelLogoutURI: "https://app.example/out#x"}, "backchannel_logout_uri"},
		{keystone.ClientWeb, keystone.ClientSettings{BackchannelLogoutURI: "https://u@app.example/out"}, "backchannel_logout_uri"},
		{keystone.ClientWeb, keystone.ClientSettings{BackchannelLogoutURI: "https://0x7f.1/out"}, "backchannel_logout_uri"},
		{keystone.ClientService, keystone.ClientSettings{BackchannelLogoutURI: "https://app.example/out"}, "backchannel_logout_uri"},
		{keystone.ClientWeb, keystone.ClientSettings{BackchannelLogoutSession: true}, "backchannel_logout_session_required"},
		{keystone.ClientWeb, keystone.ClientSettings{FrontchannelLogoutURI: "https://app.example/out?x=1", FrontchannelLogoutSession: true}, ""},
		{keystone.ClientWeb, keystone.ClientSettings{FrontchannelLogoutURI: "https://app.example:443/out"}, ""},
		{keystone.ClientWeb, keystone.ClientSettings{FrontchannelLogoutURI: "https://App.Example:443/out"}, ""},
		{keystone.ClientWeb, keystone.ClientSettings{FrontchannelLogoutURI: "https://app.example:8443/out"}, "frontchannel_logout_uri"},
		{keystone.ClientWeb, keystone.ClientSettings{FrontchannelLogoutURI: "https://sub.app.example/out"}, "frontchannel_logout_uri"},
		{keystone.ClientWeb, keystone.ClientSettings{FrontchannelLogoutURI: "http://app.example/out"}, "frontchannel_logout_uri"},
		{keystone.ClientWeb, keystone.ClientSettings{FrontchannelLogoutURI: "javascript:alert(1)"}, "frontchannel_logout_uri"},
		{keystone.ClientWeb, keystone.ClientSettings{FrontchannelLogoutURI: "https://app.example;script-src/out"}, "frontchannel_logout_uri"},
		{keystone.ClientWeb, keystone.ClientSettings{FrontchannelLogoutSession: true}, "frontchannel_logout_session_required"},
	} {
		c := keystone.Client{Name: "x", Kind: test.kind, ClientSettings: test.set}.WithDefaults()
		if test.kind != keystone.ClientService {
			c.RedirectURIs = []string{"https://app.example/cb", "https://app.example;script-src/cb"}
		}
		var e *keystone.Error
		err := c.Validate()
		switch errors.As(err, &e); {
		case test.field == "" && err != nil, test.field != "" && (e == nil || e.Fields[test.field] == ""):
			t.Errorf("%s %+v: %v", test.kind, test.set, err)
		}
	}
}

// TestSectors: a client that registered itself is of no sector that it did not show to be
// its own.
func TestSectors(t *testing.T) {
	good := []string{"https://good.example/cb"}
	code, device := []string{keystone.GrantAuthorizationCode, keystone.GrantRefreshToken}, []string{keystone.GrantAuthorizationCode, keystone.GrantDeviceCode}
	for what, c := range map[string]struct {
		registration string
		grants, uris []string
		sector, want string
	}{
		"of an administrator":             {"", device, good, "", "good.example"},
		"of an administrator, said":       {"", device, good, "https://s.example/x", "s.example"},
		"registered":                      {"dynamic", code, good, "", "good.example"},
		"registered, checked":             {"dynamic", code, good, "https://s.example/x", "s.example"},
		"registered, device":              {"dynamic", device, good, "", "id"},
		"registered, device of two hosts": {"dynamic", device, []string{good[0], "https://b.example/"}, "", "id"},
		"registered, device, checked":     {"dynamic", device, good, "https://s.example/x", "id"},
		"registered, CIBA":                {"dynamic", []string{keystone.GrantCIBA}, nil, "", "id"},
		"registered, CIBA, checked":       {"dynamic", []string{keystone.GrantCIBA}, nil, "https://s.example/x", "id"},
		"document, device":                {"document", device, good, "", "id"},
		"registered, loopback":            {"dynamic", code, []string{"http://127.0.0.1/cb"}, "", "id"},
		"of an administrator, loopback":   {"", code, []string{"http://localhost/cb"}, "", "localhost"},
	} {
		client := keystone.Client{ID: "id", Name: "App", Kind: keystone.ClientWeb, Registration: c.registration, Grants: c.grants, RedirectURIs: c.uris, AccessTokenFormat: keystone.FormatOpaque,
			ClientSettings: keystone.ClientSettings{SubjectType: keystone.SubjectPairwise, SectorURI: c.sector}}.WithDefaults()
		if got := client.Sector(); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
		if err := client.Validate(); err != nil { // what is there can be changed, and switched off
			t.Errorf("%s: %v", what, err)
		}
		if client.SubjectType = ""; client.Sector() != "" {
			t.Errorf("%s: a public sub has a sector", what)
		}
	}
}

package keystone_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

// TestBranding: name, logo, colour, a page and a language of the operator's own, on
// real pages, below /oauth2/ too.
func TestBranding(t *testing.T) {
	dir := t.TempDir()
	for name, body := range map[string]string{
		"logo.svg":           `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><path d="M0 0h8v8z"/></svg>`,
		"pages/fr.json":      `{"sign_in.title": "Connexion"}`,
		"pages/sign_in.html": `{{define "title"}}{{.T "sign_in.title"}}{{end}}{{define "content"}}<p id="own">{{.Data.Client}}</p>{{template "form" .}}{{end}}`,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{
		"APP_NAME": "Example <Accounts>", "BRAND_LOGO": dir + "/logo.svg", "BRAND_COLOR": "#ffcc00", "TEMPLATE_DIR": dir + "/pages", "DEFAULT_LANGUAGE": "fr",
	}))
	jane, app := s.CreateUser("jane"), webClient(s)
	b := newBrowser(t, s)
	b.open(authorizeURL(s, app))
	b.in("fr", "<h1>Connexion</h1>")
	b.at("own")
	look := func() {
		t.Helper()
		if !strings.Contains(b.page.body, "Example &lt;Accounts&gt;</p></header>") {
			t.Errorf("not the name:\n%s", b.page.body)
		}
		kinds := map[string]string{}
		for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*static/([a-z.]+)[^"]*)"`).FindAllStringSubmatch(b.page.body, -1) {
			at, err := b.page.url.Parse(m[1])
			if err != nil {
				t.Fatal(err)
			}
			resp, err := s.Client().Get(at.String())
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'unsafe-inline'; sandbox") {
				t.Errorf("%s: %d %v", at, resp.StatusCode, resp.Header)
			}
			kinds[m[2]] = resp.Header.Get("Content-Type")
		}
		if kinds["logo.svg"] != "image/svg+xml" || kinds["brand.css"] != "text/css; charset=utf-8" || kinds["keystone.css"] == "" {
			t.Errorf("%s: %v", b.page.url, kinds)
		}
		if policy := b.page.header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "style-src 'self'; img-src 'self'") {
			t.Error(policy)
		}
	}
	look()
	b.signIn(jane)
	b.at("consent-allow")
	look()
	b.open(authorizeURL(s, app, "redirect_uri", "https://evil.example/")) // a page below /oauth2/
	b.at("error")
	look()
	for _, path := range []string{"/static/logo.png", "/static/../pages/fr.json", "/static/%2e%2e%2flogo.svg", "/static/fr.json", "/static/sign_in.html"} {
		if resp, err := s.Client().Get(s.URL + path); err != nil || resp.StatusCode < 400 {
			t.Errorf("%s was served: %v %v", path, resp, err)
		} else {
			_ = resp.Body.Close()
		}
	}
	var facts struct {
		Locales []string `json:"ui_locales_supported"`
	}
	s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
	if len(facts.Locales) != 3 || facts.Locales[0] != "fr" {
		t.Error(facts)
	}
}

// TestTemplateFails: a page that names what is not there gives an error and not
// half a page, and the rest goes on.
func TestTemplateFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "device.html"), []byte(`{{define "title"}}x{{end}}{{define "content"}}<p>half</p>{{.Data.Nothing}}{{end}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"TEMPLATE_DIR": dir}))
	got := as(s, "").json(t, "GET", "/device", nil)
	got.wantsErrorPage(t, http.StatusInternalServerError, "a broken page")
	if strings.Contains(got.body, "half") || strings.Contains(got.body, "Nothing") {
		t.Error(got.body)
	}
	b := newBrowser(t, s)
	b.open(authorizeURL(s, webClient(s)))
	b.at("login")
}

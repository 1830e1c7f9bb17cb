package keystone_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

// speaks sends a wish for languages with every request of a browser.
type speaks struct {
	http.RoundTripper
	languages string
}

func (s speaks) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept-Language", s.languages)
	return s.RoundTripper.RoundTrip(r)
}

func (b *browser) speaking(languages string) *browser {
	b.http.Transport = speaks{b.http.Transport, languages}
	return b
}

// in fails unless the page is in the language and says so.
func (b *browser) in(lang, text string) {
	b.t.Helper()
	if !strings.Contains(b.page.body, `<html lang="`+lang+`"`) || b.page.header.Get("Content-Language") != lang ||
		!strings.Contains(b.page.header.Get("Vary"), "Accept-Language") || !strings.Contains(b.page.body, text) {
		b.t.Errorf("%s (%d) is not in %s or does not say %q: %v\n%s", b.page.url, b.page.status, lang, text, b.page.header, b.page.body)
	}
	if shown := keyShown.FindString(b.page.body); shown != "" {
		b.t.Errorf("%s shows a key: %s", b.page.url, shown)
	}
}

var keyShown = regexp.MustCompile(`>[^<]*\b(page|form|leave|requests|apps|consent|sign_in|device|logout|logged_out|pending|problem|register|setup|reset)\.[a-z_]+\b[^<]*<`)

// TestGerman: the whole way of a person whose browser speaks German, refusals and
// edges included.
func TestGerman(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, john, app := s.CreateUser("jane"), s.CreateUser("john"), webClient(s)
		b := newBrowser(t, s).speaking("de-AT,de;q=0.9,en;q=0.5")
		b.open(authorizeURL(s, app))
		b.in("de", "<h1>Anmelden</h1>")
		b.in("de", "um zu <strong>Orders</strong> zu gelangen")
		b.submit(map[string]string{"login": "jane", "password": "wrong"})
		b.in("de", "Name oder Passwort stimmt nicht.")
		b.in("de", "<title>Fehler: Anmelden")
		b.signIn(jane)
		b.in("de", "<strong>Orders</strong> unter <strong>app.example</strong> möchte:")
		b.in("de", "Ihre E-Mail-Adresse sehen")
		b.in("de", ">Erlauben</button>")
		b.submit(map[string]string{"decision": "allow"})
		b.answer()

		b.open(authorizeURL(s, app, "prompt", "login", "response_mode", "form_post"))
		b.signIn(john)
		b.submit(map[string]string{"decision": "allow"})
		b.in("de", "Zurück zur Anwendung")
		b.open(authorizeURL(s, app, "prompt", "select_account"))
		b.in("de", "Konto auswählen")
		b.open(s.URL + "/logout")
		b.in("de", "jane abmelden")
		b.submit(map[string]string{"account": "all"})
		b.in("de", "Sie sind abgemeldet")

		b.open(authorizeURL(s, app, "redirect_uri", "https://evil.example/"))
		b.in("de", "Die Adresse für den Rückweg fehlt")
		b.in("de", "nennen Sie diese Anfrage: "+b.page.header.Get("X-Request-Id"))
		for path, text := range map[string]string{
			"/login?flow=none": "Diese Anmeldung ist beendet", "/oauth2/resume?flow=none": "Diese Anmeldung ist beendet", "/device": "Gerät verbinden",
			"/setup?token=x": "keystone setup-link", "/reset?token=x": "Dieser Link gilt nicht",
			"/oauth2/logout?post_logout_redirect_uri=https://evil.example": "Niemand wurde abgemeldet",
		} {
			b.open(s.URL + path)
			b.in("de", text)
		}
		b.open(s.URL + "/device")
		b.submit(map[string]string{"user-code": "BCDF-GHJK"})
		b.in("de", "Zu diesem Code gibt es kein Gerät")
		b.crossPost("/login", nil) // this one comes without the browser's wish
		b.in("en", "A page of another origin sent this.")
	})
}

// TestLimitInGerman: what the edge refuses is said in the person's language, too,
// and to programs in English.
func TestLimitInGerman(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_PAGE": "1/hour", "RATE_LIMIT_LOGIN": "1/hour"}))
	german := as(s, "").with("Accept-Language", "de")
	german.json(t, "GET", "/device", nil)
	got := german.json(t, "GET", "/device", nil)
	got.wantsErrorPage(t, http.StatusTooManyRequests, "the second page")
	if !strings.Contains(got.body, "Das waren zu viele Anfragen.") || !strings.Contains(got.body, `<html lang="de"`) {
		t.Error(got.body)
	}
	for _, path := range []string{"/oauth2/token", "/nowhere", "/api/v1/users/me"} {
		if got := german.json(t, "GET", path, nil); got.fields["error"] == nil || got.header.Get("Content-Language") != "" || regexp.MustCompile(`[äöüß]| die | das `).MatchString(got.body) {
			t.Errorf("%s: %v %s", path, got.header, got.body)
		}
	}
}

// TestUILocales: what the application asks for goes over what the browser prefers,
// on every page of the flow (OpenID Connect Core section 3.1.2.1).
func TestUILocales(t *testing.T) {
	s := keystonetest.Start(t)
	jane, app := s.CreateUser("jane"), webClient(s)
	b := newBrowser(t, s).speaking("en")
	b.open(authorizeURL(s, app, "ui_locales", "fr-CA de-CH en", "display", "touch", "claims_locales", "de"))
	b.in("de", "<h1>Anmelden</h1>")
	b.submit(map[string]string{"login": "jane", "password": "wrong"})
	b.in("de", "Name oder Passwort stimmt nicht.")
	b.signIn(jane)
	b.in("de", "Erlauben")
	b.submit(map[string]string{"decision": "allow"})
	if b.answer().Get("code") == "" {
		t.Fatal("no code")
	}
	b.open(authorizeURL(s, app, "ui_locales", "de", "prompt", "login", "response_mode", "form_post"))
	b.signIn(jane)
	b.in("de", "Zurück zur Anwendung")
	b.open(authorizeURL(s, app, "ui_locales", "de", "redirect_uri", "https://evil.example/"))
	b.in("de", "Das hat nicht geklappt")
	b.open(s.URL + "/oauth2/logout?ui_locales=de")
	b.in("de", "Abmelden")
	b.submit(map[string]string{"account": "all"})
	b.in("de", "Sie sind abgemeldet")

	for what, locales := range map[string]string{
		"unknown": "tlh se", "markup": `"><script>alert(1)</script>`, "a folder": "../../text/de", "long": strings.Repeat("de ", 1000), "nothing": " ", "no tag": "\U0001F600-\u202e",
	} {
		b := newBrowser(t, s).speaking("en")
		b.open(authorizeURL(s, app, "ui_locales", locales))
		if b.page.status != http.StatusOK || strings.Contains(b.page.body, "<script") {
			t.Errorf("%s: %d %s", what, b.page.status, b.page.body)
		}
		b.in("en", "Sign in")
	}

	s = keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"DEFAULT_LANGUAGE": "de"}))
	b = newBrowser(t, s)
	b.open(s.URL + "/device")
	b.in("de", "Gerät verbinden")
	b.speaking("ja, en;q=0.1").open(s.URL + "/device")
	b.in("en", "Connect a device")
}

// TestLanguageMetadata: discovery names the languages that there are.
func TestLanguageMetadata(t *testing.T) {
	s := keystonetest.Start(t)
	var facts struct {
		Locales  []string `json:"ui_locales_supported"`
		Displays []string `json:"display_values_supported"`
	}
	s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
	if strings.Join(facts.Locales, " ") != "en de" || strings.Join(facts.Displays, " ") != "page" {
		t.Errorf("%+v", facts)
	}
}

package keystone_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/keystonetest"
)

// browser is a person's browser without script: it keeps cookies, follows
// redirects up to the application, and sends forms.
type browser struct {
	t      *testing.T
	http   *http.Client
	server *keystonetest.Server
	page   page
}

// page is where the browser is.
type page struct {
	url    *url.URL
	status int
	header http.Header
	body   string
}

const callback = "https://app.example/cb"

func newBrowser(t *testing.T, s *keystonetest.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := *s.Client()
	c.Jar = jar
	c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), s.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &browser{t: t, http: &c, server: s}
}

// open goes to an address and follows it.
func (b *browser) open(address string) {
	b.t.Helper()
	resp, err := b.http.Get(address)
	b.arrive(resp, err)
}

func (b *browser) arrive(resp *http.Response, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.page = page{resp.Request.URL, resp.StatusCode, resp.Header, string(body)}
	if to := resp.Header.Get("Location"); to != "" {
		u, err := url.Parse(to)
		if err != nil {
			b.t.Fatal(err)
		}
		b.page.url = u
	}
}

var (
	formTag  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input[^>]*\bname="([^"]*)"[^>]*>`)
	valueOf  = regexp.MustCompile(`\bvalue="([^"]*)"`)
)

// submit sends the page's form with the given fields set.
func (b *browser) submit(fields map[string]string) {
	b.t.Helper()
	form := formTag.FindStringSubmatch(b.page.body)
	if form == nil {
		b.t.Fatalf("no form on %s (%d):\n%s", b.page.url, b.page.status, b.page.body)
	}
	values := url.Values{}
	for _, input := range inputTag.FindAllStringSubmatch(form[2], -1) {
		value := ""
		if v := valueOf.FindStringSubmatch(input[0]); v != nil {
			value = html.UnescapeString(v[1])
		}
		values.Set(html.UnescapeString(input[1]), value)
	}
	for name, value := range fields {
		values.Set(name, value)
	}
	action, err := b.page.url.Parse(html.UnescapeString(form[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, action.String(), strings.NewReader(values.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", b.server.URL)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := b.http.Do(req)
	b.arrive(resp, err)
}

func (b *browser) signIn(u keystonetest.User) {
	b.t.Helper()
	b.submit(map[string]string{"login": u.Username, "password": u.Password})
}

// at fails unless the page has the element id.
func (b *browser) at(id string) {
	b.t.Helper()
	if !strings.Contains(b.page.body, `id="`+id+`"`) {
		b.t.Fatalf("no element %q on %s (%d):\n%s", id, b.page.url, b.page.status, b.page.body)
	}
}

// answer returns what the application got, and fails where the browser is not
// there.
func (b *browser) answer() url.Values {
	b.t.Helper()
	if !strings.HasPrefix(b.page.url.String(), callback) {
		b.t.Fatalf("not back at the application but at %s (%d):\n%s", b.page.url, b.page.status, b.page.body)
	}
	q := b.page.url.Query()
	if q.Get("iss") != b.server.Issuer {
		b.t.Fatalf("iss is %q (RFC 9207)", q.Get("iss"))
	}
	return q
}

const verifier = "a-verifier-of-forty-three-characters-or-more-0123456789"

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizeURL is an authorization request with the usual parameters, changed by
// pairs; an empty value leaves a parameter out.
func authorizeURL(s *keystonetest.Server, c keystonetest.Client, pairs ...string) string {
	q := url.Values{
		"client_id": {c.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid profile email"}, "state": {"st"},
		"nonce": {"n-1"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return s.URL + "/oauth2/authorize?" + q.Encode()
}

// redeem exchanges a code at the token endpoint.
func redeem(t *testing.T, s *keystonetest.Server, c keystonetest.Client, code string, pairs ...string) (int, map[string]any) {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}, "client_id": {c.ID}}
	if c.Secret != "" {
		form.Set("client_secret", c.Secret)
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Del(pairs[i])
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	resp, err := s.Client().PostForm(s.URL+"/oauth2/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// eachServer runs f against a server of its own on each database.
func eachServer(t *testing.T, f func(t *testing.T, s *keystonetest.Server), options ...keystonetest.Option) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, database keystonetest.Option) {
		f(t, keystonetest.Start(t, append([]keystonetest.Option{database}, options...)...))
	})
}

// eachDatabase is eachServer where f starts the server: with its database.
func eachDatabase(t *testing.T, f func(t *testing.T, database keystonetest.Option)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, keystonetest.WithSettings(nil)) })
	t.Run("postgres", func(t *testing.T) { f(t, keystonetest.WithPostgres(storetest.PostgresURL(t))) })
}

func webClient(s *keystonetest.Server, scopes ...string) keystonetest.Client {
	if scopes == nil {
		scopes = []string{"openid", "profile", "email", "offline_access"}
	}
	return s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: scopes})
}

// crossPost is a form of another site: it comes without the cookies that are
// SameSite=Lax; the redirects that follow have them again.
func (b *browser) crossPost(path string, form url.Values) {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := b.server.Client().Transport.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusSeeOther {
		to, _ := resp.Location()
		_ = resp.Body.Close()
		b.page = page{url: to, status: resp.StatusCode, header: resp.Header}
		if strings.HasPrefix(to.String(), b.server.URL) {
			b.open(to.String())
		}
		return
	}
	b.arriveAt(req, resp, err)
}

func (b *browser) arriveAt(req *http.Request, resp *http.Response, err error) {
	b.t.Helper()
	if resp != nil {
		resp.Request = req
	}
	b.arrive(resp, err)
}

// cookie is the value that the browser carries, or "".
func (b *browser) cookie() string {
	u, _ := url.Parse(b.server.URL)
	for _, c := range b.http.Jar.Cookies(u) {
		return c.Value
	}
	return ""
}

// postForm posts a form, as programs do.
func postForm(t *testing.T, s *keystonetest.Server, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	resp, err := s.Client().PostForm(s.URL+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer := map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

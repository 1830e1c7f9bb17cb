package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const suiteAt = "https://suite.example"

// conformanceServer is scripts/conformance.sh that runs, and where its files are.
type conformanceServer struct {
	t        *testing.T
	dir, url string
	client   *http.Client
}

// startConformance runs the script until the test ends, which it leaves clean.
func startConformance(t *testing.T) *conformanceServer {
	t.Helper()
	port := freePort(t)
	script := exec.Command("../../scripts/conformance.sh", port)
	script.Env = append(os.Environ(), "KEYSTONE="+binary, "SUITE="+suiteAt, "NAME=localhost", "TMPDIR="+t.TempDir())
	script.Stderr = t.Output()
	out, err := script.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	s := &conformanceServer{t: t, url: "https://localhost:" + port}
	t.Cleanup(func() {
		_ = script.Process.Signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, out)
		if err := script.Wait(); err != nil {
			t.Error("scripts/conformance.sh:", err)
		}
		if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there", s.dir)
		}
	})
	dead := time.AfterFunc(60*time.Second, func() { _ = script.Process.Kill() })
	defer dead.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if dir, ok := strings.CutPrefix(lines.Text(), "Files: "); ok {
			s.dir = dir
		}
		if strings.HasPrefix(lines.Text(), "All of this") {
			break
		}
	}
	if s.dir == "" {
		t.Fatal("the script did not say where its files are")
	}
	s.client = s.browser()
	return s
}

// browser trusts the script's certificate, keeps cookies, and stops where it is
// sent to the suite.
func (s *conformanceServer) browser() *http.Client {
	s.t.Helper()
	pem, err := os.ReadFile(filepath.Join(s.dir, "tls.crt"))
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		s.t.Fatal("no certificate")
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &http.Client{
		Jar: jar, Timeout: 20 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true},
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), suiteAt) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

func (s *conformanceServer) read(resp *http.Response, err error) (string, *url.URL) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	at := resp.Request.URL
	if to, err := resp.Location(); err == nil {
		at = to
	}
	return string(body), at
}

func (s *conformanceServer) facts() map[string]any {
	s.t.Helper()
	body, _ := s.read(s.client.Get(s.url + "/.well-known/openid-configuration"))
	return parse(s.t, body)
}

var (
	pageForm  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`)
	pageInput = regexp.MustCompile(`<(?:input|button)[^>]*>`)
	attribute = regexp.MustCompile(`\b(id|name|value|type)="([^"]*)"`)
)

// inputs reads a form: its hidden fields, and name and value of each element by its id.
func inputs(form string) (hidden url.Values, byID map[string][2]string) {
	hidden, byID = url.Values{}, map[string][2]string{}
	for _, tag := range pageInput.FindAllString(form, -1) {
		is := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(tag, -1) {
			is[a[1]] = html.UnescapeString(a[2])
		}
		byID[is["id"]] = [2]string{is["name"], is["value"]}
		if is["type"] == "hidden" {
			hidden.Set(is["name"], is["value"])
		}
	}
	return hidden, byID
}

// act does on a page what a task of the suite's browser says: texts into fields and
// a click, by the ids of the elements.
func (s *conformanceServer) act(body string, at *url.URL, commands [][]any) (string, *url.URL) {
	s.t.Helper()
	form := pageForm.FindStringSubmatch(body)
	if form == nil {
		s.t.Fatalf("no form at %s:\n%s", at, body)
	}
	values, names := inputs(form[2])
	for _, c := range commands {
		element, found := names[text(c[2])]
		switch {
		case !found:
			s.t.Fatalf("no element %q at %s:\n%s", c[2], at, body)
		case c[0] == "text":
			values.Set(element[0], text(c[3]))
		case c[0] == "click" && element[0] != "":
			values.Set(element[0], element[1])
		}
	}
	to, err := at.Parse(html.UnescapeString(form[1]))
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, to.String(), strings.NewReader(values.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", s.url)
	return s.read(s.client.Do(req))
}

// suitePlan is what we use of a plan's configuration.
type suitePlan struct {
	Server struct{ DiscoveryURL string }
	Client struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	Browser []struct {
		Tasks []struct {
			Task     string
			Commands [][]any
		}
	}
}

// basic is the configuration of the plan Basic.
func (s *conformanceServer) basic() (plan suitePlan) {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "basic.json"))
	if err == nil {
		err = json.Unmarshal(raw, &plan)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return plan
}

// TestConformanceScript: the script serves https, its clients and user are there,
// and the browser steps of the configuration sign in by the ids of the elements.
func TestConformanceScript(t *testing.T) {
	s := startConformance(t)
	plan, facts := s.basic(), s.facts()
	if plan.Server.DiscoveryURL != s.url+"/.well-known/openid-configuration" || facts["issuer"] != s.url {
		t.Fatalf("%s, issuer %v", plan.Server.DiscoveryURL, facts["issuer"])
	}
	back := suiteAt + "/test/a/keystone/callback"
	q := url.Values{"client_id": {plan.Client.ID}, "redirect_uri": {back}, "response_type": {"code"}, "scope": {"openid profile email"}, "state": {"st"}, "nonce": {"n"}}
	body, at := s.read(s.client.Get(text(facts["authorization_endpoint"]) + "?" + q.Encode()))
	for _, task := range plan.Browser[0].Tasks[:2] { // sign in, consent
		body, at = s.act(body, at, task.Commands)
	}
	if !strings.HasPrefix(at.String(), back+"?") || at.Query().Get("code") == "" || at.Query().Get("iss") != s.url {
		t.Fatalf("not back at the suite but at %s:\n%s", at, body)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {back}}
	req, err := http.NewRequest(http.MethodPost, text(facts["token_endpoint"]), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(plan.Client.ID, plan.Client.Secret)
	body, _ = s.read(s.client.Do(req))
	tokens := parse(t, body)
	if tokens["id_token"] == nil {
		t.Fatalf("%v", tokens)
	}
	req, err = http.NewRequest(http.MethodGet, text(facts["userinfo_endpoint"]), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+text(tokens["access_token"]))
	body, _ = s.read(s.client.Do(req))
	for _, claim := range []string{"sub", "name", "given_name", "family_name", "preferred_username", "updated_at", "email", "email_verified"} {
		if _, has := parse(t, body)[claim]; !has {
			t.Errorf("userinfo lacks %s: %s", claim, body)
		}
	}
}

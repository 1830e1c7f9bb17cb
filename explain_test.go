package keystone_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// trace is an answer of GET /api/v1/admin/traces/{request_id}.
type trace struct {
	Route    string            `json:"route"`
	ClientID string            `json:"client_id"`
	Status   int               `json:"status"`
	Error    string            `json:"error"`
	Refused  string            `json:"refused_by"`
	Fix      string            `json:"fix"`
	Checks   []string          `json:"checks"`
	Facts    map[string]string `json:"facts"`
}

// explain asks why a request was refused until it is known: traces are written
// once a second.
func explain(t *testing.T, s *keystonetest.Server, bearer, requestID string) (one trace, raw string) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp := get(t, s, "/api/v1/admin/traces/"+requestID, bearer)
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Items []trace }
		if resp.StatusCode == http.StatusOK && json.Unmarshal(body, &list) == nil && len(list.Items) == 1 {
			return list.Items[0], string(body)
		}
		if resp.StatusCode != http.StatusNotFound || time.Now().After(until) {
			t.Fatalf("trace of %s: %d %s", requestID, resp.StatusCode, body)
		}
	}
}

func get(t *testing.T, s *keystonetest.Server, path, bearer string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestExplain: every refusal carries a request id under which an administrator,
// and nobody else, finds which check refused and what it compared, but no
// secret.
func TestExplain(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		admin := s.SignIn(s.CreateUser("admin", keystone.RoleAdmin)).AccessToken
		jane := s.SignIn(s.CreateUser("jane")).AccessToken
		app := webClient(s)

		refused := func(form url.Values) string {
			t.Helper()
			resp, err := s.Client().PostForm(s.URL+"/oauth2/token", form)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			var body struct {
				RequestID string `json:"request_id"`
			}
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode == http.StatusOK || body.RequestID != resp.Header.Get("X-Request-Id") {
				t.Fatalf("%d %v %+v", resp.StatusCode, err, body)
			}
			return body.RequestID
		}

		t.Run("wrong secret", func(t *testing.T) {
			const canary = "ks_cs_canary-canary-canary"
			id := refused(url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ID}, "client_secret": {canary}})
			got, raw := explain(t, s, admin, id)
			if got.Error != "invalid_client" || got.Refused != "client and what proves it" || got.Facts["why"] != "the secret is not one of its living ones" || got.Route != "POST /oauth2/token" || got.Status != 401 {
				t.Errorf("%+v", got)
			}
			if strings.Contains(raw, canary) {
				t.Errorf("the secret is in the trace: %s", raw)
			}
		})
		t.Run("grant type", func(t *testing.T) {
			id := refused(url.Values{"grant_type": {"password"}, "client_id": {app.ID}, "client_secret": {app.Secret}})
			if got, _ := explain(t, s, admin, id); got.ClientID != app.ID || got.Facts["grant_type sent"] != "password" || !slices.Contains(got.Checks, "client and what proves it") {
				t.Errorf("%+v", got)
			}
		})
		t.Run("redirect_uri on the page", func(t *testing.T) {
			b := newBrowser(t, s)
			b.open(authorizeURL(s, app, "redirect_uri", "https://app.example/other"))
			id := b.page.header.Get("X-Request-Id")
			if !strings.Contains(b.page.body, id) {
				t.Errorf("the page does not name the request id %s:\n%s", id, b.page.body)
			}
			got, _ := explain(t, s, admin, id)
			if got.Refused != "redirect_uri" || got.Facts["redirect_uri sent"] != "https://app.example/other" || got.Facts["redirect_uris registered"] != callback || got.Fix == "" {
				t.Errorf("%+v", got)
			}
		})
		t.Run("by redirect", func(t *testing.T) {
			resp, err := newBrowser(t, s).http.Get(authorizeURL(s, app, "code_challenge", ""))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if got, _ := explain(t, s, admin, resp.Header.Get("X-Request-Id")); got.Refused != "code_challenge (PKCE)" || got.Error != "invalid_request" || got.Status != http.StatusSeeOther {
				t.Errorf("%+v", got)
			}
		})
		t.Run("N1 nobody else asks", func(t *testing.T) {
			resp := get(t, s, "/api/v1/admin/traces/some-request-id", jane)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("a user: %d", resp.StatusCode)
			}
			if got, _ := explain(t, s, admin, resp.Header.Get("X-Request-Id")); got.Refused != "scope of the route" || got.Facts["demanded"] != keystone.AuditRead {
				t.Errorf("%+v", got)
			}
			resp = get(t, s, "/api/v1/admin/traces/some-request-id", "")
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("nobody: %d", resp.StatusCode)
			}
		})
	})
}

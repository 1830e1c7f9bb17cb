package keystone_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// B11: whatever is changed by POST, PUT, PATCH or DELETE is not changed by GET or
// HEAD, though the address carries all that the form would: an image on another
// page sends such a request, with the cookie.
func TestAttackB11_GetChangesNothing(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane, app, other, tv := s.CreateUser("jane"), webClient(s), webClient(s), deviceClient(s)
		victim := s.CreateUser("victim")
		b := signedIn(t, s, jane, app)
		service := s.CreateClient(keystone.Client{})
		d := startDevice(t, s, tv, "openid")
		link := as(s, s.Admin()).json(t, "POST", "/api/v1/users/"+victim.ID+"/password-reset", nil)
		_, reset, _ := strings.Cut(link.text("reset_url"), "token=")
		b.open(s.URL + "/logout")
		account := regexp.MustCompile(`name="account" value="([^"]+)"`).FindStringSubmatch(b.page.body)[1]
		b.open(authorizeURL(s, other))
		b.at("consent-allow")
		flow, before := flowOf(b.page), b.cookie()
		tokens := s.SignIn(jane)
		query := url.Values{
			"flow": {flow}, "decision": {"allow"}, "confirm": {"yes"}, "account": {account}, "client_id": {other.ID}, "app": {other.ID}, "id": {other.ID},
			"login": {jane.Username}, "username": {"walk-in"}, "email": {"w@example.com"}, "password": {"another good password"}, "new_password": {"another good password"},
			"current_password": {jane.Password}, "user-code": {d.userCode}, "token": {reset}, "grant_type": {"client_credentials"}, "client_secret": {service.Secret},
		}.Encode()
		var doc struct{ Paths map[string]map[string]any }
		if err := json.Unmarshal([]byte(as(s, "").json(t, "GET", "/openapi.json", nil).body), &doc); err != nil {
			t.Fatal(err)
		}
		changes := func() (list []string) {
			for _, e := range audited(t, s, "") {
				if e["action"] != keystone.ActAccessDenied {
					list = append(list, fmt.Sprint(e["id"], e["action"]))
				}
			}
			return list
		}
		was, asked := changes(), 0
		for path, methods := range doc.Paths {
			if methods["post"] == nil && methods["put"] == nil && methods["patch"] == nil && methods["delete"] == nil || path == "/oauth2/authorize" {
				continue // which begins something by GET, and answers after a page or a consent
			}
			address := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(path, jane.ID)
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				for _, bearer := range []string{"", tokens.AccessToken, s.Admin()} {
					req, err := http.NewRequest(method, s.URL+address+"?"+query, nil)
					if err != nil {
						t.Fatal(err)
					}
					if bearer != "" {
						req.Header.Set("Authorization", "Bearer "+bearer)
					}
					resp, err := b.http.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					_ = resp.Body.Close()
					if asked++; resp.StatusCode >= 500 || methods["get"] == nil && resp.StatusCode < 400 {
						t.Errorf("%s %s answered %d", method, path, resp.StatusCode)
					}
				}
			}
		}
		if asked < 200 {
			t.Errorf("only %d requests: the document lists too little", asked)
		}
		if now := changes(); strings.Join(now, "\n") != strings.Join(was, "\n") {
			t.Errorf("something was done: %v", now[:max(len(now)-len(was), 1)])
		}
		if b.cookie() != before {
			t.Error("the cookie is another one")
		}
		d.wants("authorization_pending")
		as(s, tokens.AccessToken).json(t, "GET", "/api/v1/users/me", nil).wants(t, 200, "the session of the API")
		b.open(s.URL + "/login?flow=" + flow)
		b.at("consent-allow") // still a question
		b.code(app)           // still signed in
		as(s, "").json(t, "POST", "/api/v1/auth/reset-password", m{"token": reset, "password": "the new one of its owner"}).wants(t, 204, "the link is still good")
	})
}

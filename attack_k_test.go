package keystone_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// K17: a service is nobody. Its name and contact may look like a mailbox, and
// somebody may have an account under them: there is no password, reset, sign-in,
// profile or session of a service for them to get at, and nobody's account is got at
// through it.
func TestAttackK17_ServicesAreNoPeople(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		const box = "billing@example.com"
		made := as(s, s.Admin()).json(t, "POST", "/api/v1/admin/clients", m{"name": box, "kind": "service", "contacts": []string{box}, "scopes": []string{keystone.UsersRead, keystone.UsersWrite}})
		made.wants(t, 201, "a service named as a mailbox")
		service := keystonetest.Client{ID: made.text("client_id"), Secret: made.text("client_secret")}
		if service.ID == "" || service.Secret == "" {
			t.Fatalf("%s", made.body)
		}
		owner := s.CreateUser("billing") // whose address is that mailbox
		if owner.Email != box || owner.ID == service.ID {
			t.Fatal(owner)
		}
		token := s.ServiceToken(service)

		for _, name := range []string{service.ID, box, strings.ToUpper(service.ID), "service-account-" + service.ID} {
			as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": name, "password": service.Secret}).wants(t, 401, "sign-in as %s", name)
			b := newBrowser(t, s)
			b.open(authorizeURL(s, webClient(s)))
			b.submit(map[string]string{"login": name, "password": service.Secret})
			if b.at("error"); b.page.status != http.StatusUnauthorized {
				t.Errorf("the page signs %s in: %d", name, b.page.status)
			}
		}
		for _, admin := range []string{s.Admin(), token} { // also with rights over users
			as(s, admin).json(t, "GET", "/api/v1/users/"+service.ID, nil).wants(t, 404, "as a user")
			as(s, admin).json(t, "PATCH", "/api/v1/users/"+service.ID, m{"email": "thief@example.com"}).wants(t, 404, "a mailbox for it")
			as(s, admin).json(t, "PUT", "/api/v1/users/"+service.ID+"/roles", m{"roles": []string{"admin"}}).wants(t, 404, "roles for it")
			as(s, admin).json(t, "POST", "/api/v1/users/"+service.ID+"/password-reset", nil).wants(t, 404, "a reset for it")
			as(s, admin).json(t, "DELETE", "/api/v1/users/"+service.ID+"/sessions", nil).wants(t, 404, "its sessions")
		}
		for _, r := range []struct {
			method, path string
			body         any
		}{
			{"GET", "", nil}, {"PATCH", "", m{"email": box}}, {"DELETE", "", m{"current_password": service.Secret}}, {"GET", "/sessions", nil}, {"DELETE", "/sessions", nil},
			{"POST", "/password", m{"current_password": service.Secret, "new_password": newPassword}}, {"GET", "/apps", nil},
		} {
			as(s, token).json(t, r.method, "/api/v1/users/me"+r.path, r.body).wants(t, 403, "%s me%s with its token", r.method, r.path)
		}
		as(s, token).json(t, "POST", "/api/v1/auth/logout", nil).wants(t, 403, "its session")
		if got := as(s, token).json(t, "GET", "/oauth2/userinfo", nil); got.status == 200 {
			t.Errorf("userinfo answers a service: %s", got.body)
		}
		for _, grant := range []string{"password", "urn:ietf:params:oauth:grant-type:device_code", "authorization_code", "refresh_token"} {
			status, got := postForm(t, s, "/oauth2/token", url.Values{"grant_type": {grant}, "client_id": {service.ID}, "client_secret": {service.Secret}, "username": {service.ID},
				"password": {service.Secret}, "code": {"x"}, "device_code": {"x"}, "refresh_token": {"x"}, "code_verifier": {verifier}})
			if status < 400 || got["access_token"] != nil {
				t.Errorf("%s: %d %v", grant, status, got)
			}
		}

		// The owner of the mailbox gets a link, which is good for their account alone.
		reset := as(s, "").json(t, "POST", "/api/v1/auth/reset-password", m{"token": resetToken(t, s, owner), "password": newPassword + "!"})
		reset.wants(t, 204, "the owner's reset")
		status, again := postForm(t, s, "/oauth2/token", credentials(service, "grant_type", "client_credentials"))
		if status != 200 || again["refresh_token"] != nil {
			t.Errorf("the service after it: %d %v", status, again)
		}
		// Nobody takes the name of one, so that its sub is never a person's.
		for _, name := range []string{service.ID, "keystone"} {
			got := as(s, s.Admin()).json(t, "POST", "/api/v1/users", m{"username": name, "email": "twin@example.com"})
			if got.status == 201 && got.text("id") == service.ID {
				t.Errorf("%s: a user has the id of a client", name)
			}
			if got.status == 201 {
				as(s, s.Admin()).json(t, "DELETE", "/api/v1/users/"+got.text("id"), nil).wants(t, 204, "away again")
			}
		}
	})
}

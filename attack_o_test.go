package keystone_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// O3: an address that was registered is an address and no pattern. A host or port
// with a place for a value is refused; in a path such a place is its own letters, and
// nothing of a request or a person is ever put there.
func TestAttackO3_AddressesAreNoTemplates(t *testing.T) {
	r, reach := newReceiver(t)
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		for _, field := range []string{"jwks_uri", "backchannel_logout_uri", "frontchannel_logout_uri", "initiate_login_uri", "redirect_uris", "post_logout_redirect_uris", "request_uris", "sector_identifier_uri"} {
			for _, uri := range []string{
				"https://{client_session_host}/x", "https://${host}/x", "https://{{.Host}}/x", "https://%7Bhost%7D/x", "https://*.client.example/x", "https://client.example:{port}/x",
				"https://{user}@client.example/x", "{issuer}/x", "//{host}/x", "https:///{host}/x", "https://client.example{suffix}/x", "https://<host>/x", "https://[{host}]/x",
			} {
				var value any = uri
				if strings.HasSuffix(field, "uris") {
					value = []string{uri}
				}
				got := as(s, s.Admin()).json(t, "POST", "/api/v1/admin/clients", m{"name": "pattern", "kind": "web", "redirect_uris": []string{callback}, field: value})
				if got.status != 400 {
					t.Errorf("%s %s answered %d %.200s", field, uri, got.status, got.body)
				}
			}
		}
		// In a path.
		const place = "/{sub}/${sid}/%7Bclient_id%7D"
		jane := s.CreateUser("jane")
		uri := "https://app.example/{state}/cb"
		app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{uri}, Scopes: []string{"openid"},
			ClientSettings: keystone.ClientSettings{BackchannelLogoutURI: r.URL + place}})
		b := newBrowser(t, s)
		for _, filled := range []string{"https://app.example/st/cb", "https://app.example/evil/cb", "https://app.example/%7Bstate%7D/cb", "https://app.example//cb"} {
			b.open(authorizeURL(s, app, "redirect_uri", filled, "scope", "openid"))
			if b.page.status != http.StatusBadRequest || b.page.header.Get("Location") != "" {
				t.Errorf("%s answered %d %s", filled, b.page.status, b.page.header.Get("Location"))
			}
		}
		b.open(authorizeURL(s, app, "redirect_uri", uri, "scope", "openid", "state", "../../evil"))
		b.signIn(jane)
		b.submit(map[string]string{"decision": "allow"})
		if got := b.page.header.Get("Location"); !strings.HasPrefix(got, "https://app.example/{state}/cb?") && !strings.HasPrefix(got, "https://app.example/%7Bstate%7D/cb?") {
			t.Errorf("answered to %s", got)
		}
		if status, got := redeem(t, s, app, b.page.url.Query().Get("code"), "redirect_uri", uri); status != 200 {
			t.Fatalf("%d %v", status, got)
		}
		before := len(r.got("/{sub}/${sid}/{client_id}"))
		s.Call(http.MethodDelete, "/api/v1/users/"+jane.ID+"/sessions", s.Admin(), nil, nil)
		r.wait(t, "/{sub}/${sid}/{client_id}", before+1) // the letters, and nothing in their place
	}, reach)
}

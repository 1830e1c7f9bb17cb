package keystone_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestClientNames: a client has a name for each language that it registers one for,
// by the administration API and by its own registration (OpenID Connect Registration
// section 2.1).
func TestClientNames(t *testing.T) {
	s := keystonetest.Start(t, registering("open"))
	app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, Scopes: []string{"openid"},
		ClientSettings: keystone.ClientSettings{ClientAbout: keystone.ClientAbout{Names: map[string]string{"de": "Bestellungen <b>", "pt-BR": "Pedidos"}}}})
	for languages, name := range map[string]string{"de-AT": "Bestellungen &lt;b&gt;", "en": "Orders", "pt-BR": "Orders"} { // no page is in Portuguese
		b := newBrowser(t, s).speaking(languages)
		b.open(authorizeURL(s, app))
		if !strings.Contains(b.page.body, "<strong>"+name+"</strong>") {
			t.Errorf("%s: not %s:\n%s", languages, name, b.page.body)
		}
	}
	path := "/api/v1/admin/clients/" + app.ID
	for what, names := range map[string]m{"a tag": {"german_x": "x"}, "no tag": {"": "x"}, "no name": {"de": ""}, "two spellings": {"de": "x", "DE": "y"}, "a long one": {"de": strings.Repeat("x", 101)}, "bidi": {"de": "x\u202e"}} {
		as(s, s.Admin()).json(t, "PATCH", path, m{"client_names": names}).wants(t, http.StatusBadRequest, "%s", what)
	}
	got := as(s, s.Admin()).json(t, "PATCH", path, m{"client_names": m{"DE": "Aufträge"}})
	if got.wants(t, http.StatusOK, "a name in German"); !strings.Contains(got.body, `"client_names":{"DE":"Aufträge"}`) {
		t.Error(got.body)
	}
	b := newBrowser(t, s).speaking("de")
	b.open(authorizeURL(s, app))
	b.in("de", "<strong>Aufträge</strong>")

	made := as(s, "").json(t, "POST", "/oauth2/register", m{"client_name": "Mail", "client_name#de": "Post", "client_name#fr": nil, "redirect_uris": []string{callback}})
	if made.wants(t, http.StatusCreated, "registration"); made.fields["client_name#de"] != "Post" || made.fields["client_name"] != "Mail" || made.fields["client_names"] != nil {
		t.Error(made.body)
	}
	b = newBrowser(t, s).speaking("de")
	b.open(authorizeURL(s, made.client(), "scope", "openid"))
	b.in("de", "<strong>Post</strong>")
	for what, bad := range map[string]any{"a number": 7, "a list": []string{"x"}, "empty": ""} {
		as(s, "").json(t, "POST", "/oauth2/register", m{"client_name": "Mail", "client_name#de": bad, "redirect_uris": []string{callback}}).wants(t, http.StatusBadRequest, "%s", what)
	}
	as(s, "").json(t, "POST", "/oauth2/register", m{"client_name": "Mail", "client_name#": "x", "redirect_uris": []string{callback}}).wants(t, http.StatusBadRequest, "no tag")
}

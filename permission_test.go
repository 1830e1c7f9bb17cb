package keystone_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

const (
	open = "open" // anybody, or the route asks a client for its secret itself
	self = "self" // a person, through a first-party client
)

// permissions says of every route whom it lets in (N1): the rest are scopes, each of which
// opens its routes alone. A route that is not here fails the test.
var permissions = map[string]string{
	open: `GET /.well-known/oauth-authorization-server,
		GET /.well-known/oauth-protected-resource,
		GET /.well-known/openid-configuration,
		GET /account/apps,
		POST /account/apps,
		POST /api/v1/auth/login,
		POST /api/v1/auth/refresh,
		POST /api/v1/auth/register,
		POST /api/v1/auth/reset-password,
		POST /api/v1/auth/revoke,
		POST /api/v1/auth/token,
		GET /consent,
		POST /consent,
		GET /device,
		POST /device,
		GET /device/qr,
		GET /health,
		GET /login,
		POST /login,
		GET /logout,
		POST /logout,
		GET /oauth2/authorize,
		POST /oauth2/authorize,
		POST /oauth2/bc-authorize,
		POST /oauth2/device_authorization,
		GET /oauth2/initiate,
		POST /oauth2/introspect,
		GET /oauth2/jwks,
		GET /oauth2/logout,
		POST /oauth2/logout,
		POST /oauth2/par,
		POST /oauth2/register,
		DELETE /oauth2/register/{client_id},
		GET /oauth2/register/{client_id},
		PUT /oauth2/register/{client_id},
		GET /oauth2/resume,
		POST /oauth2/revoke,
		POST /oauth2/token,
		GET /oauth2/userinfo,
		POST /oauth2/userinfo,
		GET /openapi.json,
		GET /ready,
		GET /register,
		POST /register,
		GET /requests,
		POST /requests,
		GET /reset,
		POST /reset,
		GET /setup,
		POST /setup,
		GET /static/{file}`,
	self: `POST /api/v1/auth/logout,
		DELETE /api/v1/users/me,
		GET /api/v1/users/me,
		PATCH /api/v1/users/me,
		GET /api/v1/users/me/apps,
		DELETE /api/v1/users/me/apps/{id},
		GET /api/v1/users/me/apps/{id},
		POST /api/v1/users/me/password,
		DELETE /api/v1/users/me/sessions,
		GET /api/v1/users/me/sessions,
		DELETE /api/v1/users/me/sessions/{id},
		GET /api/v1/users/me/sessions/{id}`,
	keystone.AuditRead: "GET /api/v1/admin/audit, GET /api/v1/admin/traces/{request_id}",
	keystone.ClientsRead: `GET /api/v1/admin/clients,
		GET /api/v1/admin/clients/{id},
		GET /api/v1/admin/clients/{id}/secrets,
		GET /api/v1/admin/registration-tokens`,
	keystone.ClientsWrite: `POST /api/v1/admin/clients,
		DELETE /api/v1/admin/clients/{id},
		PATCH /api/v1/admin/clients/{id},
		POST /api/v1/admin/clients/{id}/secret,
		DELETE /api/v1/admin/clients/{id}/secrets/{sid},
		POST /api/v1/admin/registration-tokens,
		DELETE /api/v1/admin/registration-tokens/{id}`,
	keystone.KeysRead:  "GET /api/v1/admin/keys, GET /api/v1/admin/keys/{kid}",
	keystone.KeysWrite: "POST /api/v1/admin/keys/rotate, DELETE /api/v1/admin/keys/{kid}",
	keystone.RolesRead: "GET /api/v1/admin/roles, GET /api/v1/admin/roles/{id}",
	keystone.RolesWrite: `POST /api/v1/admin/roles,
		DELETE /api/v1/admin/roles/{id},
		PATCH /api/v1/admin/roles/{id}`,
	keystone.ScopesRead: "GET /api/v1/admin/scopes, GET /api/v1/admin/scopes/{id}",
	keystone.ScopesWrite: `POST /api/v1/admin/scopes,
		DELETE /api/v1/admin/scopes/{id},
		PATCH /api/v1/admin/scopes/{id}`,
	keystone.SessionsRead:  "GET /api/v1/admin/sessions, GET /api/v1/admin/sessions/{id}, GET /api/v1/users/{id}/sessions",
	keystone.SessionsWrite: "DELETE /api/v1/admin/sessions/{id}",
	keystone.SettingsRead:  "GET /api/v1/admin/settings",
	keystone.StatsRead:     "GET /api/v1/admin/stats",
	keystone.UsersRead:     "GET /api/v1/users, GET /api/v1/users/{id}",
	keystone.UsersWrite: `POST /api/v1/users,
		DELETE /api/v1/users/{id},
		PATCH /api/v1/users/{id},
		POST /api/v1/users/{id}/password-reset,
		PUT /api/v1/users/{id}/roles,
		DELETE /api/v1/users/{id}/sessions,
		POST /api/v1/users/{id}/unlock`,
}

// TestPermissions asks every route as everybody, with tokens as they get them.
func TestPermissions(t *testing.T) {
	s := keystonetest.Start(t)
	var doc struct {
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal([]byte(as(s, "").json(t, "GET", "/openapi.json", nil).body), &doc); err != nil {
		t.Fatal(err)
	}
	who := map[string]string{}
	for demanded, routes := range permissions {
		for route := range strings.SplitSeq(routes, ",") {
			who[strings.TrimSpace(route)] = demanded
		}
	}
	user, boss := s.CreateUser("user"), s.CreateUser("boss", keystone.RoleAdmin, keystone.RoleUser)
	service := s.CreateClient(keystone.Client{Scopes: keystone.BuiltInScopeNames()})
	app := webClient(s, append(keystone.BuiltInScopeNames(), "openid")...)
	_, foreign := redeem(t, s, app, signedIn(t, s, s.CreateUser("guest", keystone.RoleAdmin), app).code(app))
	for path, methods := range doc.Paths {
		for method := range methods {
			method = strings.ToUpper(method)
			route := method + " " + path
			demanded, listed := who[route]
			if delete(who, route); !listed {
				t.Errorf("%s is not in the table", route)
				continue
			}
			if demanded == open {
				continue
			}
			address := parameter.ReplaceAllString(path, keystone.NewID(s.Clock.Now()))
			lets := func(name, token string) bool {
				var body any
				if method != http.MethodGet {
					body = map[string]any{}
				}
				a := as(s, token).json(t, method, address, body)
				if known := name != "nobody" && name != "rubbish"; known == (a.status == http.StatusUnauthorized) || !known && a.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s as %s: %d %v", route, name, a.status, a.header)
				}
				return a.status != http.StatusUnauthorized && !closed.MatchString(a.text("error_description"))
			}
			type asker struct {
				token string
				may   bool
			}
			askers := map[string]asker{"nobody": {"", false}, "rubbish": {"rubbish", false}, "a user": {s.SignIn(user).AccessToken, demanded == self},
				"an administrator": {s.SignIn(boss).AccessToken, true}, "a service": {s.ServiceToken(service), demanded != self}}
			if demanded == self {
				askers["an administrator through another's client"] = asker{foreign["access_token"].(string), false}
			} else {
				others := slices.DeleteFunc(keystone.BuiltInScopeNames(), func(name string) bool { return name == demanded })
				askers["the scope alone"] = asker{s.ServiceToken(service, demanded), true}
				askers["all other scopes"] = asker{s.ServiceToken(service, others...), false}
			}
			for name, a := range askers {
				if lets(name, a.token) != a.may {
					t.Errorf("%s as %s: let in: %t", route, name, !a.may)
				}
			}
		}
	}
	for route := range who {
		t.Errorf("%s is in the table and not served", route)
	}
}

var (
	parameter = regexp.MustCompile(`\{[^}]+\}`)
	closed    = regexp.MustCompile(`^(This needs the scope|Only the user may do this|Nobody may use this)`)
)

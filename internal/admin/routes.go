package admin

import (
	"net/http"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// Slice is the admin API.
type Slice struct {
	Store    *store.Store
	Ring     *token.Ring
	Proof    *proof.Checker
	Hasher   *password.Hasher
	Policy   password.Policy
	Issuer   string           // address under which people reach Keystone, for links
	Settings func() []Setting // without secrets
}

// Routes lists every endpoint.
func (s *Slice) Routes() []httpio.Route {
	const (
		users    = "/api/v1/users"
		roles    = "/api/v1/admin/roles"
		scopes   = "/api/v1/admin/scopes"
		clients  = "/api/v1/admin/clients"
		sessions = "/api/v1/admin/sessions"
		keys     = "/api/v1/admin/keys"

		registrationTokens = "/api/v1/admin/registration-tokens"
	)
	may, api := httpio.Scope, httpio.LimitAPI
	return []httpio.Route{
		httpio.JSON(http.MethodGet, users, may(keystone.UsersRead), api, "List users, or search them by the start of username, e-mail address or name", s.listUsers),
		httpio.JSON(http.MethodPost, users, may(keystone.UsersWrite), api, "Create a user", s.createUser).Answers(http.StatusCreated),
		httpio.JSON(http.MethodGet, users+"/{id}", may(keystone.UsersRead), api, "Read a user", s.readUser),
		httpio.JSON(http.MethodPatch, users+"/{id}", may(keystone.UsersWrite), api, "Change some fields of a user", s.updateUser),
		httpio.JSON(http.MethodDelete, users+"/{id}", may(keystone.UsersWrite), api, "Delete a user with everything that hangs on them", s.deleteUser),
		httpio.JSON(http.MethodPut, users+"/{id}/roles", may(keystone.UsersWrite), api, "Give a user exactly these roles", s.setRoles),
		httpio.JSON(http.MethodPost, users+"/{id}/password-reset", may(keystone.UsersWrite), api, "Take a user's password away and make a link under which they choose a new one", s.resetPassword),
		httpio.JSON(http.MethodPost, users+"/{id}/unlock", may(keystone.UsersWrite), api, "Forget a user's failed sign-ins", s.unlockUser),
		httpio.JSON(http.MethodGet, users+"/{id}/sessions", may(keystone.SessionsRead), api, "List a user's sessions", s.listUserSessions),
		httpio.JSON(http.MethodDelete, users+"/{id}/sessions", may(keystone.UsersWrite), api, "End all sessions of a user", s.endUserSessions),

		httpio.JSON(http.MethodGet, roles, may(keystone.RolesRead), api, "List roles", s.listRoles),
		httpio.JSON(http.MethodPost, roles, may(keystone.RolesWrite), api, "Create a role", s.createRole).Answers(http.StatusCreated),
		httpio.JSON(http.MethodGet, roles+"/{id}", may(keystone.RolesRead), api, "Read a role, by id or name", s.readRole),
		httpio.JSON(http.MethodPatch, roles+"/{id}", may(keystone.RolesWrite), api, "Change some fields of a role", s.updateRole),
		httpio.JSON(http.MethodDelete, roles+"/{id}", may(keystone.RolesWrite), api, "Delete a role and take it from everybody", s.deleteRole),

		httpio.JSON(http.MethodGet, scopes, may(keystone.ScopesRead), api, "List scopes", s.listScopes),
		httpio.JSON(http.MethodPost, scopes, may(keystone.ScopesWrite), api, "Create a scope", s.createScope).Answers(http.StatusCreated),
		httpio.JSON(http.MethodGet, scopes+"/{id}", may(keystone.ScopesRead), api, "Read a scope, by id or name", s.readScope),
		httpio.JSON(http.MethodPatch, scopes+"/{id}", may(keystone.ScopesWrite), api, "Change a scope's description", s.updateScope),
		httpio.JSON(http.MethodDelete, scopes+"/{id}", may(keystone.ScopesWrite), api, "Delete a scope and take it from every role and client", s.deleteScope),

		httpio.JSON(http.MethodGet, clients, may(keystone.ClientsRead), api, "List clients", s.listClients),
		httpio.JSON(http.MethodPost, clients, may(keystone.ClientsWrite), api, "Create a client; its secret is shown this once", s.createClient).Answers(http.StatusCreated),
		httpio.JSON(http.MethodGet, clients+"/{id}", may(keystone.ClientsRead), api, "Read a client", s.readClient),
		httpio.JSON(http.MethodPatch, clients+"/{id}", may(keystone.ClientsWrite), api, "Change some fields of a client", s.updateClient),
		httpio.JSON(http.MethodDelete, clients+"/{id}", may(keystone.ClientsWrite), api, "Delete a client with its secrets and refresh tokens", s.deleteClient),
		httpio.JSON(http.MethodPost, clients+"/{id}/secret", may(keystone.ClientsWrite), api, "Make a new client secret, shown this once; the ones before stay valid for a while", s.rotateSecret).Answers(http.StatusCreated),
		httpio.JSON(http.MethodGet, clients+"/{id}/secrets", may(keystone.ClientsRead), api, "List what may be known about a client's secrets", s.listSecrets),
		httpio.JSON(http.MethodDelete, clients+"/{id}/secrets/{sid}", may(keystone.ClientsWrite), api, "End a client secret at once", s.removeSecret),

		httpio.JSON(http.MethodGet, registrationTokens, may(keystone.ClientsRead), api, "List initial access tokens, with which clients register themselves (RFC 7591)", s.listRegistrationTokens),
		httpio.JSON(http.MethodPost, registrationTokens, may(keystone.ClientsWrite), api, "Make an initial access token, shown this once", s.createRegistrationToken).Answers(http.StatusCreated),
		httpio.JSON(http.MethodDelete, registrationTokens+"/{id}", may(keystone.ClientsWrite), api, "End an initial access token; clients registered with it stay", s.revokeRegistrationToken),

		httpio.JSON(http.MethodGet, sessions, may(keystone.SessionsRead), api, "List everybody's sessions", s.listSessions),
		httpio.JSON(http.MethodGet, sessions+"/{id}", may(keystone.SessionsRead), api, "Read a session", s.readSession),
		httpio.JSON(http.MethodDelete, sessions+"/{id}", may(keystone.SessionsWrite), api, "End a session with its refresh tokens", s.endSession),

		httpio.JSON(http.MethodGet, keys, may(keystone.KeysRead), api, "List signing keys", s.listKeys),
		httpio.JSON(http.MethodGet, keys+"/{kid}", may(keystone.KeysRead), api, "Read what may be known about a signing key", s.readKey),
		httpio.JSON(http.MethodPost, keys+"/rotate", may(keystone.KeysWrite), api, "Make and publish the next signing key", s.rotateKey).Answers(http.StatusCreated),
		httpio.JSON(http.MethodDelete, keys+"/{kid}", may(keystone.KeysWrite), api, "Revoke a signing key: everything it signed is refused from now on", s.revokeKey),

		httpio.JSON(http.MethodGet, "/api/v1/admin/audit", may(keystone.AuditRead), api, "Read the audit trail, newest first", s.listAudit),
		httpio.JSON(http.MethodGet, "/api/v1/admin/traces/{request_id}", may(keystone.AuditRead), api, "Explain why a request was refused, in the last day", s.explain),
		httpio.JSON(http.MethodGet, "/api/v1/admin/stats", may(keystone.StatsRead), api, "Count users, sessions, sign-ins and tokens", s.stats),
		httpio.JSON(http.MethodGet, "/api/v1/admin/settings", may(keystone.SettingsRead), api, "Read the settings, without secrets", s.settings),
	}
}

package account

import (
	"context"
	"net/http"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/web"
)

// Slice is self-service.
type Slice struct {
	Store            *store.Store
	Proof            *proof.Checker
	Hasher           *password.Hasher
	Policy           password.Policy
	Pages            *web.Pages
	Issuer           string // address under which people reach Keystone
	RegistrationOpen bool
	// ConfirmLimit and RenameLimit refuse where the source asked for too many
	// passwords, and where the actor tried too many names and addresses.
	ConfirmLimit, RenameLimit func(ctx context.Context) error
	// Denied records that somebody was refused who may be anybody, bounded.
	Denied func(ctx context.Context, by keystone.Actor, reason string)
}

// Routes lists every endpoint.
func (s *Slice) Routes() []httpio.Route {
	const me = "/api/v1/users/me"
	html := func(status int, what string) httpio.Doc {
		return httpio.DocContent(status, "text/html; charset=utf-8", what)
	}
	return []httpio.Route{
		httpio.JSON(http.MethodPost, "/api/v1/auth/register", httpio.Public, httpio.LimitRegister, "Register, where the server lets everybody", s.register).Answers(http.StatusCreated),
		httpio.JSON(http.MethodPost, "/api/v1/auth/reset-password", httpio.Public, httpio.LimitLogin, "Choose a new password with the token of a reset link", s.resetPassword),

		httpio.JSON(http.MethodGet, me, httpio.Self, httpio.LimitAPI, "Read your account", s.readMe),
		httpio.JSON(http.MethodPatch, me, httpio.Self, httpio.LimitAPI, "Change some fields of your account; a new address asks for your password", s.updateMe),
		httpio.JSON(http.MethodDelete, me, httpio.Self, httpio.LimitLogin, "Delete your account with everything that hangs on it", s.deleteMe),
		httpio.JSON(http.MethodPost, me+"/password", httpio.Self, httpio.LimitLogin, "Change your password and end all your other sessions", s.changePassword),
		httpio.JSON(http.MethodGet, me+"/sessions", httpio.Self, httpio.LimitAPI, "List your sessions", s.listSessions),
		httpio.JSON(http.MethodDelete, me+"/sessions", httpio.Self, httpio.LimitAPI, "End all your sessions but this one", s.endOtherSessions),
		httpio.JSON(http.MethodGet, me+"/sessions/{id}", httpio.Self, httpio.LimitAPI, "Read one of your sessions", s.readSession),
		httpio.JSON(http.MethodDelete, me+"/sessions/{id}", httpio.Self, httpio.LimitAPI, "End one of your sessions", s.endSession),

		httpio.JSON(http.MethodGet, me+"/apps", httpio.Self, httpio.LimitAPI, "List the applications that you allowed something", s.listApps),
		httpio.JSON(http.MethodGet, me+"/apps/{id}", httpio.Self, httpio.LimitAPI, "Read what you allowed an application", s.readApp),
		httpio.JSON(http.MethodDelete, me+"/apps/{id}", httpio.Self, httpio.LimitAPI, "Take back what you allowed an application; its tokens end", s.revokeApp),

		httpio.PageRoute(http.MethodGet, "/setup", httpio.Public, httpio.LimitPage, "The page of the setup link, where the first administrator is made", s.setupPage,
			httpio.DocQuery("token", "From the setup link."), html(http.StatusOK, "The form."), html(http.StatusUnauthorized, "The link does not work."), html(http.StatusGone, "There is an administrator already.")),
		httpio.PageRoute(http.MethodPost, "/setup", httpio.Public, httpio.LimitPage, "Make the first administrator", s.setup,
			httpio.DocForm[setupForm](), html(http.StatusOK, "What to do next."), html(http.StatusUnauthorized, "The link does not work."), html(http.StatusGone, "There is an administrator already.")),
		httpio.PageRoute(http.MethodGet, "/reset", httpio.Public, httpio.LimitPage, "The page of a reset link, where a new password is chosen", s.resetPage,
			httpio.DocQuery("token", "From the reset link."), html(http.StatusOK, "The form."), html(http.StatusUnauthorized, "The link does not work.")),
		httpio.PageRoute(http.MethodPost, "/reset", httpio.Public, httpio.LimitLogin, "Choose a new password with a reset link", s.reset,
			httpio.DocForm[resetForm](), html(http.StatusOK, "It is done."), html(http.StatusUnauthorized, "The link does not work.")),
		httpio.Plain(http.MethodGet, "/static/{file}", httpio.Public, httpio.LimitNone, "Styles and pictures of the pages", s.asset,
			httpio.DocContent(http.StatusOK, "text/css", "The file.")),
	}
}

package login

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
	"github.com/keystone-auth/keystone/web"
)

// Slice is the sign-in API and the sign-in pages.
type Slice struct {
	Store  *store.Store
	Issuer *token.Issuer
	Proof  *proof.Checker
	Hasher *password.Hasher
	// Observe is told how each sign-in came out, for metrics: a closed list.
	Observe func(result string)
	Log     *slog.Logger

	// Register makes an account for whoever asks, or says why not: the same for the
	// page as for the API. RegistrationOpen says whether people are told of the page,
	// PasswordRules what they are told there.
	Register         func(ctx context.Context, u keystone.User, pass string) (keystone.User, error)
	RegistrationOpen bool
	PasswordRules    []string

	// Start refuses where too much of a kind is in progress that lives so long: from the
	// source, or in all.
	Start func(ctx context.Context, kind string, life time.Duration, clientID string) error

	Pages   *web.Pages
	Cookies httpio.Cookies
}

// SignIns are the patterns of the routes at which people sign in.
func SignIns() []string { return []string{"POST /api/v1/auth/login", "POST /login"} }

// Routes lists every endpoint.
func (s *Slice) Routes() []httpio.Route {
	flow, code := httpio.DocQuery("flow", "The sign-in that this is a step of."), httpio.DocQuery("user_code", "The code that the device shows.")
	return []httpio.Route{
		httpio.JSON(http.MethodPost, "/api/v1/auth/login", httpio.Public, httpio.LimitLogin,
			"Sign in with username or e-mail address and password", s.signIn),
		httpio.JSON(http.MethodPost, "/api/v1/auth/logout", httpio.Self, httpio.LimitAPI,
			"End this session with its refresh token", s.logout),

		httpio.PageRoute(http.MethodGet, "/login", httpio.Public, httpio.LimitPage,
			"The next page of a sign-in", s.dispatch, flow, httpio.DocQuery("other", "Not empty: as another account."), httpio.DocContent(http.StatusOK, "text/html", "The page."), httpio.DocContent(http.StatusSeeOther, "", "To the page of this step; without a flow, to one of its own.")),
		httpio.PageRoute(http.MethodPost, "/login", httpio.Public, httpio.LimitLogin,
			"Sign in, or choose an account", s.signInForm, httpio.DocForm[signInForm](), httpio.DocContent(http.StatusSeeOther, "", "To the next page.")),
		httpio.PageRoute(http.MethodGet, "/register", httpio.Public, httpio.LimitPage,
			"The page on which people make an account, within a sign-in", s.registerPage, flow, httpio.DocContent(http.StatusOK, "text/html", "The form."), httpio.DocContent(http.StatusSeeOther, "", "To sign in; without a flow, to one of its own.")),
		httpio.PageRoute(http.MethodPost, "/register", httpio.Public, httpio.LimitRegister,
			"Make an account and go on with the sign-in", s.registerForm, httpio.DocForm[registerForm](), httpio.DocContent(http.StatusSeeOther, "", "To the next page.")),
		httpio.PageRoute(http.MethodGet, "/device", httpio.Public, httpio.LimitPage,
			"The page on which people type a device's code (RFC 8628)", s.devicePage, code, httpio.DocContent(http.StatusOK, "text/html", "The page.")),
		httpio.PageRoute(http.MethodPost, "/device", httpio.Public, httpio.LimitLogin,
			"Type a device's code", s.deviceForm, httpio.DocForm[codeForm](), httpio.DocContent(http.StatusSeeOther, "", "To the next page.")),
		httpio.Plain(http.MethodGet, "/device/qr", httpio.Public, httpio.LimitPage,
			"The address of that page with a code in it, as a QR code", s.deviceQR, code, httpio.DocContent(http.StatusOK, "image/svg+xml", "The picture.")),
		httpio.PageRoute(http.MethodGet, "/consent", httpio.Public, httpio.LimitPage,
			"The question whether a client may, within a sign-in", s.consentAddress, flow, httpio.DocContent(http.StatusSeeOther, "", "To the page; without a flow, to what was allowed.")),
		httpio.PageRoute(http.MethodPost, "/consent", httpio.Public, httpio.LimitPage,
			"Allow or refuse a client", s.decide, httpio.DocForm[consentForm](), httpio.DocContent(http.StatusSeeOther, "", "To the next page.")),
	}
}

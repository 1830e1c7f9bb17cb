package oauth

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
	"github.com/keystone-auth/keystone/web"
)

// Slice is the protocol's endpoints.
type Slice struct {
	Store    *store.Store
	Issuer   *token.Issuer
	Verifier *token.Verifier
	Ring     *token.Ring
	Proofs   *token.Proofs
	Keys     *KeySource
	TLS      TLSClients
	// Allow refuses where too many client authentications have failed for this
	// client or from this source; Failed counts one more. Successful ones are free.
	Allow  func(ctx context.Context, clientID, source string) error
	Failed func(ctx context.Context, clientID, source string)
	// Start refuses where too much of a kind is in progress that lives so long: for a
	// client that has proved itself, else for the source, or in all.
	Start func(ctx context.Context, kind string, life time.Duration, clientID string) error
	// Refreshes refuses where a refresh token family is used too often.
	Refreshes func(ctx context.Context, family string) error
	// Named counts that a client has named a person (1) who may turn out to be
	// nobody, and takes it back (-1) where they are somebody. It refuses where there
	// were too many nobodies.
	Named func(ctx context.Context, clientID string, n int) error
	// Asked counts a request of an actor whom the handler has found out; of an
	// anonymous one, by the source.
	Asked func(ctx context.Context) error
	// Poll counts a poll for a code and reports whether it came no earlier than
	// interval after the one before; each that did adds five seconds.
	Poll func(ctx context.Context, code string, interval time.Duration) bool
	Log  *slog.Logger

	Registration Registration
	Documents    *Documents // nil: no client_id is an address

	RegistrationOpen bool // people may make accounts: prompt=create

	AppName   string
	Pages     *web.Pages // for addresses below /oauth2/
	RootPages *web.Pages
	Cookies   httpio.Cookies

	SessionFrame bool // serve the frame of OpenID Connect Session Management
}

// Routes lists every endpoint.
func (s *Slice) Routes() []httpio.Route {
	routes := s.always()
	if s.SessionFrame {
		routes = append(routes, httpio.PageRoute(http.MethodGet, framePath, httpio.Public, httpio.LimitPage,
			"Frame for applications that watch a session (OpenID Connect Session Management)", s.checkSession, httpio.DocContent(http.StatusOK, "text/html", "A page without content.")))
	}
	// An issuer with a path has its metadata between host and path (RFC 8414 section
	// 3.1, RFC 9728 section 3.1). OpenID Connect Discovery puts it behind the path.
	if u, err := url.Parse(s.Issuer.Options.Issuer); err == nil && u.Path != "" {
		routes = append(routes, s.serverMetadata(serverMetadataPath+u.Path), s.apiMetadata(ResourceMetadataPath+u.Path))
	}
	return routes
}

func (s *Slice) serverMetadata(path string) httpio.Route {
	return httpio.Plain(http.MethodGet, path, httpio.Public, httpio.LimitNone,
		"What this server can do (RFC 8414)", s.metadata, httpio.DocAnswer[Metadata](http.StatusOK, "The metadata."), httpio.DocCached())
}

func (s *Slice) apiMetadata(path string) httpio.Route {
	return httpio.Plain(http.MethodGet, path, httpio.Public, httpio.LimitNone,
		"What Keystone's own API is as a protected resource (RFC 9728)", s.resourceMetadata, httpio.DocAnswer[ResourceMetadata](http.StatusOK, "The metadata."), httpio.DocCached())
}

func (s *Slice) always() []httpio.Route {
	byForm := httpio.DocContent(http.StatusOK, "text/html", "The answer for the client as a form that sends itself (response_mode form_post).")
	back := httpio.DocContent(http.StatusSeeOther, "", "Back to the application, or to the same request by GET.")
	claims, signed := httpio.DocAnswer[map[string]any](http.StatusOK, "The claims."), httpio.DocAlso(http.StatusOK, "application/jwt")
	return []httpio.Route{
		httpio.Plain(http.MethodPost, "/oauth2/token", httpio.ClientAuth, httpio.LimitToken,
			"Get tokens (RFC 6749 section 3.2)", s.token,
			httpio.DocForm[tokenForm](), httpio.DocEnum("grant_type", keystone.GrantNames(nil)...), httpio.DocAnswer[token.TokenResponse](http.StatusOK, "The tokens.")),
		httpio.PageRoute(http.MethodGet, "/oauth2/authorize", httpio.Public, httpio.LimitPage,
			"Ask for a code in the browser (RFC 6749 section 3.1)", s.authorize,
			httpio.DocParams[authorizeForm](), httpio.DocContent(http.StatusSeeOther, "", "To the sign-in pages or back to the client."), byForm),
		httpio.PageRoute(http.MethodPost, "/oauth2/authorize", httpio.CrossSite, httpio.LimitPage,
			"Ask for a code in the browser, by form", s.authorize,
			httpio.DocForm[authorizeForm](), httpio.DocContent(http.StatusSeeOther, "", "To the same request by GET."), byForm),
		httpio.PageRoute(http.MethodGet, "/oauth2/resume", httpio.Public, httpio.LimitPage,
			"Go on after the sign-in pages", s.resume,
			httpio.DocQuery("flow", "The sign-in."), httpio.DocContent(http.StatusSeeOther, "", "Back to the client."), byForm),
		httpio.PageRoute(http.MethodGet, "/oauth2/initiate", httpio.Public, httpio.LimitPage,
			"Have an application begin a sign-in (OpenID Connect Core section 4)", s.initiate, httpio.DocParams[initiateForm](), httpio.DocContent(http.StatusSeeOther, "", "To the application.")),
		httpio.Plain(http.MethodPost, "/oauth2/par", httpio.ClientAuth, httpio.LimitToken,
			"Push an authorization request (RFC 9126)", s.par,
			httpio.DocForm[pushForm](), httpio.DocAnswer[pushAnswer](http.StatusCreated, "The reference.")),
		httpio.Plain(http.MethodPost, "/oauth2/device_authorization", httpio.ClientAuth, httpio.LimitToken,
			"Ask for a code that a person types elsewhere (RFC 8628)", s.deviceAuthorization,
			httpio.DocForm[deviceForm](), httpio.DocAnswer[deviceAnswer](http.StatusOK, "The codes.")),
		httpio.Plain(http.MethodPost, backchannelPath, httpio.ClientAuth, httpio.LimitToken,
			"Ask a person who is somewhere else (OpenID Connect CIBA section 7)", s.backchannelAuthentication,
			httpio.DocForm[backchannelForm](), httpio.DocAnswer[backchannelAnswer](http.StatusOK, "The id of the request.")),
		httpio.PageRoute(http.MethodGet, "/requests", httpio.Public, httpio.LimitPage,
			"The page that lists what waits for a person's answer", s.requestsPage, httpio.DocQuery("account", "other: as another account."), httpio.DocContent(http.StatusSeeOther, "", "To sign in."), httpio.DocContent(http.StatusOK, "text/html", "The page.")),
		httpio.PageRoute(http.MethodPost, "/requests", httpio.Public, httpio.LimitPage,
			"Begin to answer a request", s.requestsForm, httpio.DocForm[requestForm](), httpio.DocContent(http.StatusSeeOther, "", "To the next page.")),
		httpio.PageRoute(http.MethodGet, "/"+keystone.AppsPage, httpio.Public, httpio.LimitPage,
			"The page that lists what the people of this browser allowed applications", s.appsPage, httpio.DocContent(http.StatusOK, "text/html", "The page.")),
		httpio.PageRoute(http.MethodPost, "/"+keystone.AppsPage, httpio.Public, httpio.LimitPage,
			"Take back what an application was allowed", s.appsForm, httpio.DocForm[appForm](), httpio.DocContent(http.StatusSeeOther, "", "To the same page.")),
		httpio.Plain(http.MethodPost, registerPath, httpio.ClientAuth, httpio.LimitClients,
			"Register a client (RFC 7591)", s.register, httpio.DocAuth("bearer", ""), httpio.DocRefuses(http.StatusNotFound),
			httpio.DocBody[RegistrationBody](), httpio.DocAnswer[registrationAnswer](http.StatusCreated, "The client.")),
		httpio.Plain(http.MethodGet, registerPath+"/{client_id}", httpio.ClientAuth, httpio.LimitToken,
			"Read a registration with its own token (RFC 7592)", s.readRegistration, httpio.DocAuth("bearer"), httpio.DocAnswer[registrationAnswer](http.StatusOK, "The client.")),
		httpio.Plain(http.MethodPut, registerPath+"/{client_id}", httpio.ClientAuth, httpio.LimitClients,
			"Replace a registration with its own token (RFC 7592)", s.replaceRegistration, httpio.DocAuth("bearer"),
			httpio.DocBody[RegistrationBody](), httpio.DocAnswer[registrationAnswer](http.StatusOK, "The client.")),
		httpio.Plain(http.MethodDelete, registerPath+"/{client_id}", httpio.ClientAuth, httpio.LimitToken,
			"Remove a registration with its own token (RFC 7592)", s.deleteRegistration, httpio.DocAuth("bearer"), httpio.DocContent(http.StatusNoContent, "", "Removed.")),
		httpio.Plain(http.MethodGet, "/oauth2/userinfo", httpio.CrossSite, httpio.LimitToken,
			"Claims about the user (OpenID Connect Core section 5.3)", s.userinfo, claims, signed, httpio.DocAuth("bearer"), httpio.DocRefuses(http.StatusForbidden)),
		httpio.Plain(http.MethodPost, "/oauth2/userinfo", httpio.CrossSite, httpio.LimitToken,
			"Claims about the user, by form", s.userinfo, httpio.DocForm[userinfoForm](), httpio.DocMayOmit(), claims, signed, httpio.DocAuth("bearer"), httpio.DocRefuses(http.StatusForbidden)),
		httpio.PageRoute(http.MethodGet, "/oauth2/logout", httpio.Public, httpio.LimitPage,
			"Log out (OpenID Connect RP-Initiated Logout)", s.logout, httpio.DocParams[LogoutFields](), httpio.DocContent(http.StatusOK, "text/html", "A page."), back),
		httpio.PageRoute(http.MethodPost, "/oauth2/logout", httpio.CrossSite, httpio.LimitPage,
			"Log out, by form", s.logout, httpio.DocForm[logoutForm](), httpio.DocContent(http.StatusOK, "text/html", "A page."), back),
		httpio.PageRoute(http.MethodGet, "/logout", httpio.Public, httpio.LimitPage,
			"Log out of Keystone", s.logout, httpio.DocParams[LogoutFields](), httpio.DocContent(http.StatusOK, "text/html", "The page that asks."), back),
		httpio.PageRoute(http.MethodPost, "/logout", httpio.Public, httpio.LimitPage,
			"Log out of one account of this browser, or of all", s.logout, httpio.DocForm[logoutForm](), httpio.DocContent(http.StatusOK, "text/html", "The page afterwards."), back),
		httpio.Plain(http.MethodPost, "/oauth2/introspect", httpio.ClientAuth, httpio.LimitToken,
			"Ask whether a token holds (RFC 7662)", s.introspect,
			httpio.DocForm[introspectForm](), httpio.DocAnswer[introspection](http.StatusOK, "What is true of the token."), httpio.DocAlso(http.StatusOK, introspectionJWT)),
		httpio.Plain(http.MethodPost, "/oauth2/revoke", httpio.ClientAuth, httpio.LimitToken,
			"Revoke a token (RFC 7009)", s.revoke,
			httpio.DocForm[revokeForm](), httpio.DocContent(http.StatusOK, "", "Revoked, or not known.")),
		httpio.Plain(http.MethodGet, "/oauth2/jwks", httpio.Public, httpio.LimitNone,
			"Keys that verify tokens (RFC 7517)", s.jwks,
			httpio.DocAnswerAs[keySet](http.StatusOK, "application/jwk-set+json", "The key set."), httpio.DocCached()),
		s.serverMetadata(serverMetadataPath),
		httpio.Plain(http.MethodGet, "/.well-known/openid-configuration", httpio.Public, httpio.LimitNone,
			"What this server can do (OpenID Connect Discovery)", s.metadata,
			httpio.DocAnswer[Metadata](http.StatusOK, "The metadata."), httpio.DocCached()),
		s.apiMetadata(ResourceMetadataPath),

		httpio.JSON(http.MethodPost, "/api/v1/auth/token", httpio.ClientAuth, httpio.LimitToken,
			"Get a token for a service with its client secret", s.jsonToken).Says(httpio.DocAuth()),
		httpio.JSON(http.MethodPost, "/api/v1/auth/refresh", httpio.ClientAuth, httpio.LimitToken,
			"Exchange a refresh token for new tokens", s.jsonRefresh).Says(httpio.DocAuth()),
		httpio.JSON(http.MethodPost, "/api/v1/auth/revoke", httpio.ClientAuth, httpio.LimitToken,
			"Revoke a token", s.jsonRevoke).Says(httpio.DocAuth()),
	}
}

// grant is one grant type: it shows who asks, and asks the door.
type grant func(*Slice, context.Context, grantRequest) (token.Response, error)

// grants shows who asks by each of keystone.GrantTypes.
var grants = map[string]grant{
	keystone.GrantAuthorizationCode: (*Slice).authorizationCode,
	keystone.GrantClientCredentials: (*Slice).clientCredentials,
	keystone.GrantDeviceCode:        (*Slice).deviceCode,
	keystone.GrantCIBA:              (*Slice).ciba,
	keystone.GrantRefreshToken:      (*Slice).refreshToken,
	keystone.GrantTokenExchange:     (*Slice).tokenExchange,
	keystone.GrantJWTBearer:         (*Slice).jwtBearer,
}

package oauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

const backchannelPath = "/oauth2/bc-authorize"

// How long a request waits for its person: where the client says nothing, at most,
// and at least.
const (
	backchannelLife  = 5 * time.Minute
	backchannelMost  = 10 * time.Minute
	backchannelLeast = 30 * time.Second
)

const (
	maxNotifyToken = 1024 // OpenID Connect CIBA section 7.1
	minNotifyToken = 22   // fewer characters of RFC 6750 section 2.1 are no 128 bits
	maxHint        = 254  // an e-mail address
)

// backchannelForm documents the form of the backchannel authentication endpoint.
type backchannelForm struct {
	ClientProof
	Scope          string   `json:"scope,omitempty" doc:"Scopes, separated by spaces, openid among them."`
	LoginHint      string   `json:"login_hint,omitempty" doc:"Who is meant: a username, a verified e-mail address, or the sub that the client knows. One of this and id_token_hint."`
	IDTokenHint    string   `json:"id_token_hint,omitempty" doc:"Who is meant: an ID token that the client got earlier."`
	BindingMessage string   `json:"binding_message,omitempty" doc:"What both sides show, so that the person can compare: at most 100 characters of one line."`
	NotifyToken    string   `json:"client_notification_token,omitempty" doc:"For a client of delivery mode ping: the bearer value by which it knows Keystone, 22 to 1024 characters."`
	Expiry         string   `json:"requested_expiry,omitempty" doc:"Seconds that the person should have: 30 to 600; 300 where it is left out."`
	ACRValues      string   `json:"acr_values,omitempty"`
	Resource       []string `json:"resource,omitempty" doc:"Whom the token is for (RFC 8707). May repeat."`
	Audience       []string `json:"audience,omitempty" doc:"The same as resource."`
	Details        string   `json:"authorization_details,omitempty" doc:"What exactly is asked for, as a JSON array (RFC 9396)."`
	Request        string   `json:"request,omitempty" doc:"All of this but the client's credentials as a JWT that the client signed, with iss, aud, exp, iat, nbf and jti."`
}

// backchannelAnswer is the answer of OpenID Connect CIBA section 7.3.
type backchannelAnswer struct {
	AuthReqID string `json:"auth_req_id" doc:"Poll the token endpoint with it."`
	ExpiresIn int64  `json:"expires_in" doc:"Seconds until it ends."`
	Interval  int64  `json:"interval" doc:"Seconds to wait between polls; slow_down adds five."`
}

var (
	errNoScope        = keystone.Fail(keystone.Invalid, "Send scope, with openid in it (OpenID Connect CIBA section 7.1).")
	errNoOpenID       = keystone.Fail(keystone.Invalid, "Ask for the scope openid (OpenID Connect CIBA section 7.1).").WithCode("invalid_scope")
	errOneHint        = keystone.Fail(keystone.Invalid, "Send exactly one hint of who is meant: login_hint or id_token_hint (OpenID Connect CIBA section 7.1).")
	errHintToken      = keystone.Fail(keystone.Invalid, "login_hint_token is not served: send login_hint or id_token_hint.")
	errUnknownPerson  = keystone.Fail(keystone.Invalid, "The hint matches no user.").WithCode("unknown_user_id")
	errNoPerson       = keystone.Fail(keystone.NotFound, "There is no such person.")
	errBindingMessage = keystone.Fail(keystone.Invalid, "binding_message is one line of at most 100 characters, without control characters.").WithCode("invalid_binding_message")
	errNotifyToken    = keystone.Fail(keystone.Invalid, "This client uses ping delivery: send client_notification_token, 22 to 1024 characters of RFC 6750 section 2.1.")
	errExpiry         = keystone.Fail(keystone.Invalid, "requested_expiry is a positive number of seconds.")
)

// backchannelAuthentication serves POST /oauth2/bc-authorize (OpenID Connect CIBA
// section 7): a client asks a person who is somewhere else. Its errors are those of
// section 13; unknown_user_id tells a client that proved itself whom it may ask,
// which it would learn by waiting too, so how many unknown ones it may name is
// bounded instead.
func (s *Slice) backchannelAuthentication(w http.ResponseWriter, r *http.Request) error {
	c, form, err := s.clientForm(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	if !c.Confidential() || !c.MayUse(keystone.GrantCIBA) {
		return token.ErrGrantType
	}
	if form, err = s.unfoldBackchannel(ctx, c, form); err != nil {
		return err
	}
	p, err := s.backchannelRequest(ctx, c, form)
	if err != nil {
		return err
	}
	notify, err := notifyToken(ctx, c, form)
	if err != nil {
		return err
	}
	if err := s.Start(ctx, "backchannel", backchannelMost, c.ID); err != nil {
		return err
	}
	if p.UserID, err = s.meantPerson(ctx, c, form); err != nil {
		return err
	}
	id := secret.New(secret.AuthReqID)
	keystone.Checking(ctx, "how many requests wait for the person")
	err = s.Store.AddBackchannel(ctx, asClient(ctx, c), id, p, notify)
	if keystone.KindOf(err) == keystone.NotFound {
		err = errUnknownPerson
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpio.WriteJSON(w, http.StatusOK, backchannelAnswer{
		AuthReqID: id, ExpiresIn: int64(p.ExpiresAt.Sub(p.CreatedAt) / time.Second), Interval: int64(pollInterval / time.Second),
	})
}

// backchannelRequest reads what is asked for, but not of whom.
func (s *Slice) backchannelRequest(ctx context.Context, c *keystone.Client, form url.Values) (p store.Pending, err error) {
	keystone.Checking(ctx, "scope and resource")
	if form.Get("scope") == "" {
		return p, errNoScope
	}
	if p.Request, err = s.pendingRequest(ctx, c, form); err != nil {
		return p, err
	}
	if !slices.Contains(p.Request.Scopes, keystone.ScopeOpenID) {
		return p, errNoOpenID
	}
	p.Request.ACRValues = strings.Fields(dropIfLonger(form.Get("acr_values"), 500))
	keystone.Checking(ctx, "binding_message")
	if p.Message = form.Get("binding_message"); !keystone.IsBindingMessage(p.Message) {
		return p, errBindingMessage
	}
	keystone.Checking(ctx, "requested_expiry")
	life, err := requestedLife(form.Get("requested_expiry"))
	if err != nil {
		return p, err
	}
	now := s.Store.Now()
	p.ID, p.Kind, p.ClientID, p.Source = keystone.NewID(now), store.PendingBackchannel, c.ID, httpio.Actor(ctx).Source
	p.CreatedAt, p.ExpiresAt = now, now.Add(life)
	return p, nil
}

// requestedLife is how long a request lives: what the client wishes, within bounds.
func requestedLife(wish string) (time.Duration, error) {
	if wish == "" {
		return backchannelLife, nil
	}
	seconds, err := strconv.ParseUint(wish, 10, 31)
	if err != nil || seconds == 0 {
		return 0, errExpiry
	}
	return min(max(time.Duration(seconds)*time.Second, backchannelLeast), backchannelMost), nil
}

// notifyToken is the bearer value by which a client that is told of answers knows
// who tells it; of one that polls, none.
func notifyToken(ctx context.Context, c *keystone.Client, form url.Values) (string, error) {
	if c.BackchannelDelivery != keystone.DeliveryPing {
		return "", nil
	}
	keystone.Checking(ctx, "client_notification_token")
	token := form.Get("client_notification_token")
	if len(token) < minNotifyToken || len(token) > maxNotifyToken || !isToken68(token) {
		return "", errNotifyToken
	}
	return token, nil
}

// isToken68 reports whether s may follow Bearer (RFC 6750 section 2.1).
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	return body != "" && unreserved(strings.NewReplacer("+", "-", "/", "-").Replace(body))
}

// meantPerson finds the person whom the client means. Naming somebody is paid for
// before anybody is looked for, and free where there is such a person.
func (s *Slice) meantPerson(ctx context.Context, c *keystone.Client, form url.Values) (string, error) {
	keystone.Checking(ctx, "hint of who is meant")
	hint, err := s.hint(ctx, c, form)
	if err != nil {
		return "", err
	}
	if err := s.Named(ctx, c.ID, 1); err != nil {
		return "", err
	}
	u, err := s.personOf(ctx, c, hint)
	if keystone.KindOf(err) == keystone.NotFound || err == nil && !u.Enabled {
		return "", errUnknownPerson
	}
	if err == nil {
		err = s.Named(ctx, c.ID, -1)
	}
	return u.ID, err
}

// hint is who is meant, in the client's words (OpenID Connect CIBA section 7.1).
func (s *Slice) hint(ctx context.Context, c *keystone.Client, form url.Values) (string, error) {
	byName, byToken := form.Get("login_hint"), form.Get("id_token_hint")
	switch {
	case form.Get("login_hint_token") != "":
		return "", errHintToken
	case (byName == "") == (byToken == ""):
		return "", errOneHint
	case byName != "":
		return byName, nil
	}
	var req keystone.AuthRequest
	err := s.fillHint(ctx, c, &req, byToken)
	return s.Ring.Subject(c, req.Subject), err
}

// personOf finds a person by the sub that the client knows, by username, or by
// e-mail address where it is verified: else somebody could register with another's
// and answer in their place.
func (s *Slice) personOf(ctx context.Context, c *keystone.Client, hint string) (keystone.User, error) {
	if id := s.Ring.UserOf(c, hint); keystone.IsID(id) {
		return s.Store.User(ctx, id)
	}
	if len(hint) > maxHint || keystone.IsID(hint) { // the id itself is not what a client with pairwise subjects knows
		return keystone.User{}, errNoPerson
	}
	u, err := s.Store.FindUser(ctx, hint)
	if err == nil && strings.Contains(hint, "@") && !u.EmailVerified {
		return u, errNoPerson
	}
	return u, err
}

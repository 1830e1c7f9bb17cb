package keystone

import (
	"slices"
	"time"
)

// Flow is a browser's way from an authorization request to its answer (RFC 6749
// section 4.1, OpenID Connect Core section 3.1). Each page writes what it has
// shown to the flow's row and goes back to the dispatcher, which asks Next. A
// redirect proves nothing.
type Flow struct {
	ID        string
	Request   AuthRequest
	CreatedAt time.Time
	ExpiresAt time.Time
	UserID    string    // the account that was chosen; empty: none yet
	SessionID string    // the session that carries it
	SignedIn  time.Time // when somebody last proved who they are in this flow; zero: not in this flow
	Chosen    bool      // the account was chosen by hand in this flow
	DecidedBy string    // the user who consented by hand in this flow; another account asks anew
	Granted   []string  // scopes that they consented to, sorted
	Denied    bool      // access was refused by hand
	Answer    string    // what became of it: AnswerCode, or the error; empty: it goes on
}

// ErrNoFlow answers a request for a flow that is not this browser's, or not there any more.
var ErrNoFlow = Fail(NotFound, "This sign-in has ended, has taken too long, or belongs to another browser. Go back to the application and start again.")

// AnswerCode is the answer of a flow that is done.
const AnswerCode = "code"

// AppsPage is the page of Keystone itself at which a sign-in ends that no application
// asked for: what the person has allowed applications.
const AppsPage = "account/apps"

// AuthRequest is an authorization request whose client, redirect URI and
// parameters have been checked.
type AuthRequest struct {
	ClientID      string   `json:"client_id"`
	RedirectURI   string   `json:"redirect_uri"`
	RedirectSent  bool     `json:"redirect_sent,omitempty"` // then the token request must repeat it (RFC 6749 section 4.1.3)
	ResponseMode  string   `json:"response_mode,omitempty"`
	State         string   `json:"state,omitempty"`
	Nonce         string   `json:"nonce,omitempty"`
	Scopes        []string `json:"scopes,omitempty"`    // sorted
	Audiences     []string `json:"audiences,omitempty"` // RFC 8707
	CodeChallenge string   `json:"code_challenge,omitempty"`
	JKT           string   `json:"dpop_jkt,omitempty"` // thumbprint of the key that must redeem the code (RFC 9449 section 10)
	Prompt        []string `json:"prompt,omitempty"`
	MaxAge        *int64   `json:"max_age,omitempty"` // seconds
	LoginHint     string   `json:"login_hint,omitempty"`
	Subject       string   `json:"subject,omitempty"` // from id_token_hint or claims: only this user will do
	ACRValues     []string `json:"acr_values,omitempty"`
	ACREssential  bool     `json:"acr_essential,omitempty"`   // without one of them, no answer
	IDTokenClaims []string `json:"id_token_claims,omitempty"` // asked for by name, sorted; the same of userinfo
	InfoClaims    []string `json:"userinfo_claims,omitempty"`
	ClaimScopes   []string `json:"claim_scopes,omitempty"`          // which open those claims and were not asked for: consent covers them, tokens do not carry them
	Details       Details  `json:"authorization_details,omitempty"` // RFC 9396
	UILocales     string   `json:"ui_locales,omitempty"`
	PushedAs      string   `json:"pushed_as,omitempty"` // request_uri, used up when the code is issued (RFC 9126)
	Pending       string   `json:"pending,omitempty"`   // the pending authorization that the answer goes to, in place of a redirect URI
	Page          string   `json:"page,omitempty"`      // the page of Keystone itself that the browser goes on to, in place of a redirect URI
}

// Prompts (OpenID Connect Core section 3.1.2.1).
const (
	PromptNone    = "none"
	PromptLogin   = "login"
	PromptConsent = "consent"
	PromptSelect  = "select_account"
	PromptCreate  = "create" // Initiating User Registration via OpenID Connect 1.0
)

// OpenID Connect scopes. Everybody holds them: they open the user's own data to
// a client, which consent is for.
const (
	ScopeOpenID        = "openid"
	ScopeProfile       = "profile"
	ScopeEmail         = "email"
	ScopeOfflineAccess = "offline_access"
)

// ACRPassword is the level that a password alone reaches (acr, OpenID Connect
// Core section 2).
const ACRPassword = "urn:keystone:acr:password"

// Step is what a flow needs next.
type Step struct {
	Kind StepKind
	Code string // for StepRefuse: the error of the answer
}

// StepKind says which page comes next, or that no page does.
type StepKind uint8

// The steps.
const (
	StepSignIn   StepKind = iota + 1 // ask for a proof
	StepRegister                     // offer to make an account; a proof will do as well
	StepChoose                       // ask which account
	StepConsent                      // ask whether the client may
	StepDone                         // answer with a code
	StepRefuse                       // answer with an error
)

// Facts are what Next judges a flow by: the state of the world now, read anew
// each time it is asked.
type Facts struct {
	Now       time.Time
	Session   *Session  // the living session that the flow names, if the user may still sign in; nil: none
	AuthTime  time.Time // when that session's user last proved who they are
	ACR       string    // the level that the session reached
	Accounts  int       // living sessions in this browser
	Offered   []string  // what consent can give: asked for, the client's, and held by the user; sorted
	Audiences []string  // whom it would be given for, see Client.Reach
	Allowed   Allowed   // what the user allowed this client before; empty: nothing
	Trusted   bool      // first-party: consent is not asked for
	Anew      bool      // what was allowed before is no answer, see Client.AlwaysAsks
}

// Next is the whole sign-in policy: what a flow needs next. It is pure;
// flow_test.go is its table.
func (f Flow) Next(a Facts) Step {
	if f.Denied {
		return Step{StepRefuse, "access_denied"}
	}
	none := slices.Contains(f.Request.Prompt, PromptNone)
	if step := f.nextSignIn(a, none); step.Kind != 0 {
		return step
	}
	if f.Request.ACREssential && !slices.Contains(f.Request.ACRValues, a.ACR) {
		return Step{StepRefuse, "unmet_authentication_requirements"}
	}
	if f.needsConsent(a) {
		if none {
			return Step{StepRefuse, "consent_required"}
		}
		return Step{Kind: StepConsent}
	}
	return Step{Kind: StepDone}
}

// nextSignIn is the part of Next about who it is.
func (f Flow) nextSignIn(a Facts, none bool) Step {
	switch {
	case f.signInNeeded(a) && none:
		return Step{StepRefuse, "login_required"}
	case slices.Contains(f.Request.Prompt, PromptCreate) && !f.proved(a):
		return Step{Kind: StepRegister}
	case !none && slices.Contains(f.Request.Prompt, PromptSelect) && !f.Chosen && !f.proved(a) && a.Accounts > 0:
		return Step{Kind: StepChoose}
	case f.signInNeeded(a) && !none && f.UserID == "" && a.Accounts > 1:
		return Step{Kind: StepChoose}
	case f.signInNeeded(a):
		return Step{Kind: StepSignIn}
	}
	return Step{}
}

// signInNeeded reports whether a proof is missing, too old, or somebody else's.
func (f Flow) signInNeeded(a Facts) bool {
	switch {
	case a.Session == nil:
		return true
	case f.Request.Subject != "" && a.Session.UserID != f.Request.Subject:
		return true
	case slices.Contains(f.Request.Prompt, PromptLogin) && !f.proved(a):
		return true
	case f.Request.MaxAge != nil && a.Now.Sub(a.AuthTime) > time.Duration(*f.Request.MaxAge)*time.Second && !f.proved(a):
		return true
	}
	return false
}

// proved reports whether the session's user has shown a proof in this flow. That
// somebody else did, before this account was chosen, does not count.
func (f Flow) proved(a Facts) bool {
	return a.Session != nil && !f.SignedIn.IsZero() && !a.AuthTime.Before(f.SignedIn)
}

func (f Flow) needsConsent(a Facts) bool {
	switch {
	case f.DecidedBy != "" && f.DecidedBy == a.Session.UserID:
		return false
	case slices.Contains(f.Request.Prompt, PromptConsent):
		return true
	case f.Request.Pending != "": // whoever asked is somewhere else, and may be a stranger: a click is always needed (RFC 8628 section 5.4)
		return true
	case a.Anew:
		return true
	case len(f.Request.Details) > 0: // they are of this one time: nothing allowed before covers them (RFC 9396 section 4)
		return true
	case a.Trusted:
		return false
	}
	return !a.Allowed.Covers(a.Offered, a.Audiences)
}

// Answered returns the scopes of the answer to a flow that is done: never more
// than was offered, and never more than the user allowed.
func (f Flow) Answered(a Facts) []string {
	switch {
	case f.DecidedBy != "" && f.DecidedBy == a.Session.UserID:
		return Intersect(a.Offered, f.Granted)
	case a.Trusted:
		return a.Offered
	}
	held, _ := a.Allowed.Held(a.Offered, a.Audiences)
	return held
}

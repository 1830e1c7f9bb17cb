package account

import (
	"net/http"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/web"
)

// setupForm is what the setup page sends. The token is what proves that the
// sender has the link; without it no other site's form gets anywhere.
type setupForm struct {
	Token    string `json:"token"`
	Username string `json:"username"`
	Email    string `json:"email"`
	Password string `json:"password"`
}

// setupDone is what the page after it shows.
type setupDone struct{ Username, SignIn string }

// setupPage serves GET /setup: whoever follows the link sees the form. It uses
// nothing up.
func (s *Slice) setupPage(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	if done, err := s.refuseSetup(w, r, token); done || err != nil {
		return err
	}
	form := s.setupFields(setupForm{Token: token})
	form.Fill("", nil)
	return s.Pages.Render(w, r, http.StatusOK, "setup", web.Page{Data: form})
}

// setup serves POST /setup: it makes the first administrator.
func (s *Slice) setup(w http.ResponseWriter, r *http.Request) error {
	values, err := httpio.Form(r, httpio.MaxForm)
	if err != nil {
		return err
	}
	in := setupForm{Token: values.Get("token"), Username: values.Get("username"), Email: values.Get("email"), Password: values.Get("password")}
	if done, err := s.refuseSetup(w, r, in.Token); done || err != nil {
		return err
	}
	u := keystone.User{Username: in.Username, Email: in.Email}
	err = s.checkNew(u, in.Password)
	var hash string
	if err == nil {
		hash, err = s.Hasher.Hash(r.Context(), in.Password)
	}
	if err == nil {
		u, err = s.Store.CreateFirstAdmin(r.Context(), httpio.Actor(r.Context()), in.Token, u, hash)
	}
	if err != nil {
		// Somebody else may have been faster: then neither the link nor the form is
		// what is wrong.
		if done, refusal := s.refuseSetup(w, r, in.Token); done || refusal != nil {
			return refusal
		}
		return s.again(w, r, "setup", s.setupFields(in), err)
	}
	httpio.SetUser(r.Context(), u.ID)
	return s.Pages.Render(w, r, http.StatusOK, "setup_done", web.Page{Data: setupDone{
		Username: u.Username,
		SignIn:   "curl " + s.Issuer + "/api/v1/auth/login -H 'Content-Type: application/json' \\\n  -d '{\"username\":\"" + u.Username + "\",\"password\":\"…\"}'",
	}})
}

// refuseSetup answers where the link is not good, or there is nothing to set up.
// It asks in this order, because a link is used in the transaction that closes
// the setup: whoever finds it used finds the setup closed.
func (s *Slice) refuseSetup(w http.ResponseWriter, r *http.Request, token string) (done bool, err error) {
	keystone.Checking(r.Context(), "setup link")
	good, err := s.Store.SetupTokenGood(r.Context(), token)
	if err != nil || good {
		return false, err
	}
	needed, err := s.Store.NeedsSetup(r.Context())
	if err != nil {
		return false, err
	}
	x := httpio.ExchangeOf(r.Context())
	if !needed {
		x.Err = errSetupDone
		return true, s.Pages.Render(w, r, http.StatusGone, "message", web.Page{Failed: true, Data: web.Message{
			Title: "setup.closed_title",
			Lines: []web.Text{web.Say("setup.closed"), web.Say("setup.closed_audit")},
		}})
	}
	x.Err = errSetupLink
	return true, s.Pages.Render(w, r, http.StatusUnauthorized, "message", web.Page{Failed: true, Data: web.Message{
		Title:   "setup.bad_title",
		Lines:   []web.Text{web.Say("setup.bad"), web.Say("setup.bad_command")},
		Command: "keystone setup-link",
	}})
}

// What the log and the trace say; the pages say it in their own words.
var (
	errSetupLink = keystone.Fail(keystone.Unauthenticated, "The setup link does not work (any more). Make another one: keystone setup-link.")
	errSetupDone = keystone.Fail(keystone.Conflict, "The setup is done: there is an administrator already. Sign in as one, or make one with keystone user create --role admin.")
)

func (s *Slice) setupFields(in setupForm) web.Form {
	return web.Form{
		Action: "setup", Submit: "setup.submit", Hidden: map[string]string{"token": in.Token},
		Fields: []web.Field{
			{Name: "username", Label: "form.username", Type: "text", Value: in.Username, Autocomplete: "username", MaxLength: 50},
			{Name: "email", Label: "form.email", Type: "email", Value: in.Email, Autocomplete: "email", MaxLength: 254},
			s.passwordField("form.password"),
		},
	}
}

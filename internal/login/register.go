package login

import (
	"context"
	"net/http"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/web"
)

// registerView is the page on which a person makes an account, on the way to an
// application.
type registerView struct {
	web.Form
	Client string
	Flow   string
}

// registerPage serves GET /register. Where nobody may register it is the sign-in
// page.
func (s *Slice) registerPage(w http.ResponseWriter, r *http.Request) error {
	flow, is := flowOf(r)
	if !is {
		return s.ownRegistration(w, r)
	}
	v, err := s.visit(r, flow)
	if err != nil {
		return s.problem(w, r, err)
	}
	if !s.RegistrationOpen {
		return seeOther(w, "login?flow="+v.flow.ID)
	}
	u := keystone.User{Username: v.flow.Request.LoginHint}
	if strings.Contains(u.Username, "@") {
		u.Username, u.Email = "", u.Username
	}
	return s.renderRegister(w, r, v, http.StatusOK, u, &keystone.Error{})
}

// renderRegister shows the form, with what was wrong with it.
func (s *Slice) renderRegister(w http.ResponseWriter, r *http.Request, v visit, status int, u keystone.User, wrong *keystone.Error) error {
	form := web.Form{
		Action: "register", Submit: "register.submit", Hidden: map[string]string{"flow": v.flow.ID},
		Fields: []web.Field{
			{Name: "username", Label: "form.username", Type: "text", Value: u.Username, Autocomplete: "username", MaxLength: 50},
			{Name: "email", Label: "form.email", Type: "email", Value: u.Email, Autocomplete: "email", MaxLength: 254},
			{Name: "password", Label: "form.password", Type: "password", Autocomplete: "new-password", MaxLength: password.MaxBytes, Hints: s.PasswordRules},
		},
	}
	what := wrong.Msg
	if len(wrong.Fields) > 0 {
		what = "form.correct"
	}
	form.Fill(what, wrong.Fields)
	return s.Pages.RenderFlow(w, r, status, "register", web.Page{Failed: what != "", Locales: v.flow.Request.UILocales, Data: registerView{form, v.name, v.flow.ID}})
}

// registerForm serves POST /register: the account is made where the API makes it,
// and whoever made it signs in with it as everybody does.
func (s *Slice) registerForm(w http.ResponseWriter, r *http.Request) error {
	form, err := httpio.Form(r, httpio.MaxForm)
	if err != nil {
		return s.problem(w, r, err)
	}
	v, err := s.visitProof(r, form.Get("flow"))
	if err != nil {
		return s.problem(w, r, err)
	}
	u := keystone.User{Username: form.Get("username"), Email: form.Get("email")}
	form1, form2 := v.flow.ID+" 1 "+u.Username, v.flow.ID+" 2 "+u.Username
	copied, err := s.seen(r.Context(), form1)
	if copied && err == nil {
		_, err = s.seen(r.Context(), form2)
	}
	if err != nil {
		return err
	}
	if _, err := s.Register(r.Context(), u, form.Get("password")); err != nil {
		wrong := refusal(err)
		if wrong == nil || wrong.Kind != keystone.Invalid && wrong.Kind != keystone.Conflict {
			return s.problem(w, r, err)
		}
		if wrong.Kind == keystone.Conflict && !copied {
			later, errSeen := s.seen(r.Context(), form2) // a copy that came later, and was quicker
			if errSeen != nil {
				return errSeen
			}
			copied = later
		}
		if copied && wrong.Kind == keystone.Conflict && s.justMade(r.Context(), u.Username) && s.proveAndCarry(w, r, &v, u.Username, form.Get("password")) == nil {
			return seeOther(w, "login?flow="+v.flow.ID)
		}
		httpio.ExchangeOf(r.Context()).Err = err
		return s.renderRegister(w, r, v, httpio.StatusOf(r, err), u, wrong)
	}
	return s.signInAs(w, r, v, u.Username, form.Get("password"))
}

// seen reports whether a form that makes an account has been seen in the last seconds.
func (s *Slice) seen(ctx context.Context, form string) (bool, error) {
	first, err := s.Store.FirstSeen(ctx, store.SingleUseForm, form, s.Store.Now().Add(store.AgainWithin))
	return !first, err
}

// justMade reports whether the account was made some seconds ago: by a copy of the same
// form, where one has been seen.
func (s *Slice) justMade(ctx context.Context, name string) bool {
	u, err := s.Store.FindUser(ctx, name)
	return err == nil && s.Store.Now().Sub(u.CreatedAt) <= store.AgainWithin
}

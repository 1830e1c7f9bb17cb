package account

import (
	"context"
	"net/http"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/web"
)

type resetPasswordRequest struct {
	Body struct {
		Token    string `json:"token" maxLength:"100" doc:"From the reset link."`
		Password string `json:"password" maxLength:"1024" doc:"The new one."`
	}
}

// resetPassword serves POST /api/v1/auth/reset-password. Nobody is signed in
// afterwards.
func (s *Slice) resetPassword(ctx context.Context, in *resetPasswordRequest) (*empty, error) {
	return nil, s.setPassword(ctx, in.Body.Token, in.Body.Password)
}

// setPassword uses a reset link: the one way for the API and the page.
func (s *Slice) setPassword(ctx context.Context, token, pass string) error {
	userID, err := s.Proof.Reset(ctx, httpio.Actor(ctx), token, pass, s.Policy)
	if err == nil {
		httpio.SetUser(ctx, userID)
	}
	return err
}

// resetForm is what the reset page sends.
type resetForm struct {
	Token    string `json:"token"`
	Password string `json:"password"`
}

// resetPage serves GET /reset, the same for people. It uses nothing up: mail
// scanners follow links.
func (s *Slice) resetPage(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	keystone.Checking(r.Context(), "reset link")
	good, err := s.Proof.ResetGood(r.Context(), token)
	if err != nil {
		return err
	}
	if !good {
		return s.refuseReset(w, r, proof.ErrReset)
	}
	form := s.resetFields(token)
	form.Fill("", nil)
	return s.Pages.Render(w, r, http.StatusOK, "reset", web.Page{Data: form})
}

// reset serves POST /reset.
func (s *Slice) reset(w http.ResponseWriter, r *http.Request) error {
	values, err := httpio.Form(r, httpio.MaxForm)
	if err != nil {
		return err
	}
	token := values.Get("token")
	err = s.setPassword(r.Context(), token, values.Get("password"))
	switch {
	case keystone.KindOf(err) == keystone.Unauthenticated:
		return s.refuseReset(w, r, err)
	case err != nil:
		return s.again(w, r, "reset", s.resetFields(token), err)
	}
	return s.Pages.Render(w, r, http.StatusOK, "message", web.Page{Data: web.Message{
		Title: "reset.done_title",
		Lines: []web.Text{web.Say("reset.done")},
	}})
}

// refuseReset says so on a page; why is for the log and the trace.
func (s *Slice) refuseReset(w http.ResponseWriter, r *http.Request, why error) error {
	httpio.ExchangeOf(r.Context()).Err = why
	return s.Pages.Render(w, r, http.StatusUnauthorized, "message", web.Page{Failed: true, Data: web.Message{
		Title: "reset.bad_title",
		Lines: []web.Text{web.Say("reset.bad"), web.Say("reset.bad_ask")},
	}})
}

func (s *Slice) resetFields(token string) web.Form {
	return web.Form{Action: "reset", Submit: "reset.submit", Hidden: map[string]string{"token": token}, Fields: []web.Field{s.passwordField("form.new_password")}}
}

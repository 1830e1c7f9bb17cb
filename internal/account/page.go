package account

import (
	"errors"
	"net/http"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/web"
)

// asset serves GET /static/{file}.
func (s *Slice) asset(w http.ResponseWriter, r *http.Request) error {
	body, ok := s.Pages.Asset(w.Header(), r.PathValue("file"), r.URL.RawQuery)
	if !ok {
		return keystone.Fail(keystone.NotFound, "There is no such file.")
	}
	httpio.WriteTagged(w, r, w.Header().Get("Content-Type"), body)
	return nil
}

// again shows the form once more, with what was wrong. What a person cannot
// correct there is returned.
func (s *Slice) again(w http.ResponseWriter, r *http.Request, page string, form web.Form, err error) error {
	var e *keystone.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Kind {
	case keystone.Invalid, keystone.Conflict:
	case keystone.Limited, keystone.Unavailable:
		httpio.RetryAfter(w.Header(), e)
	default:
		return err
	}
	httpio.ExchangeOf(r.Context()).Err = err // for the log
	what := e.Msg
	if len(e.Fields) > 0 {
		what = "form.correct"
	}
	form.Wait = web.Wait(e)
	form.Fill(what, e.Fields)
	return s.Pages.Render(w, r, httpio.StatusOf(r, err), page, web.Page{Failed: true, Data: form})
}

func (s *Slice) passwordField(label string) web.Field {
	return web.Field{
		Name: "password", Label: label, Type: "password", Autocomplete: "new-password", MaxLength: password.MaxBytes, Hints: s.Policy.Describe(),
	}
}

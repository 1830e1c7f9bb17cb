package login

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/web"
)

// How many codes in a row may be wrong before attempts must wait (RFC 8628
// section 5.1; see store.AttemptKey for how long). Within the ten minutes that a
// code lives a source comes to about thirty tries, five of the 34 bits.
const (
	freeCodesBrowser = 5
	freeCodesSource  = 20
)

var (
	errUserCode  = keystone.Fail(keystone.Invalid, "There is no device with this code, or it has waited too long. Compare the code with the one on your device, or start again there.")
	errCodesWait = keystone.Fail(keystone.Limited, "There were too many wrong codes. Wait a few minutes, then try again.")
)

// devicePage serves GET /device (RFC 8628 section 3.3). A code in the address
// fills the field and does nothing else: the person presses the button (section
// 3.3.1).
func (s *Slice) devicePage(w http.ResponseWriter, r *http.Request) error {
	code := r.URL.Query().Get("user_code")
	if letters, ok := secret.ParseUserCode(code); ok {
		code = secret.FormatUserCode(letters)
	} else {
		code = ""
	}
	return s.renderDevice(w, r, http.StatusOK, nil, code)
}

func (s *Slice) renderDevice(w http.ResponseWriter, r *http.Request, status int, refused *keystone.Error, code string) error {
	problem := ""
	if refused != nil {
		problem = refused.Msg
	}
	form := web.Form{Wait: web.Wait(refused), Action: "device", Submit: "form.continue", Fields: []web.Field{
		{Name: "user-code", Label: "device.code", Type: "text", Value: code, Autocomplete: "off", MaxLength: 20, Hints: []string{"device.code_hint"}},
	}}
	form.Fill(problem, nil)
	return s.Pages.RenderFlow(w, r, status, "device", web.Page{Failed: problem != "", Data: form})
}

// deviceForm serves POST /device: a code begins a flow that ends at the device.
func (s *Slice) deviceForm(w http.ResponseWriter, r *http.Request) error {
	form, err := httpio.Form(r, httpio.MaxForm)
	if err != nil {
		return s.problem(w, r, err)
	}
	browser := s.Cookies.Browser(r)
	p, err := s.byUserCode(r.Context(), browser, form.Get("user-code"))
	var refused *keystone.Error
	if errors.As(err, &refused) && (refused.Kind == keystone.Invalid || refused.Kind == keystone.Limited) {
		httpio.ExchangeOf(r.Context()).Err = err
		httpio.RetryAfter(w.Header(), refused)
		return s.renderDevice(w, r, httpio.StatusOf(r, err), refused, "")
	}
	if err != nil {
		return err
	}
	return s.beginPending(w, r, browser, p)
}

// beginPending begins the flow in which a person answers a pending authorization.
func (s *Slice) beginPending(w http.ResponseWriter, r *http.Request, browser string, p store.Pending) error {
	sessions, err := s.Store.BrowserSessions(r.Context(), browser)
	if err != nil {
		return err
	}
	p.Request.Pending, p.Request.Subject = p.ID, p.UserID
	return s.beginFlow(w, r, browser, len(sessions), p.Request, "login")
}

// byUserCode finds what waits under a code that a person typed. The attempt is
// counted before the code is looked up, so guessing in parallel gains nothing;
// one that was right is taken back.
func (s *Slice) byUserCode(ctx context.Context, browser, typed string) (store.Pending, error) {
	source := "device:source:" + keystone.Network(httpio.Actor(ctx).Source)
	keys := []store.AttemptKey{{Key: source, Free: freeCodesSource}}
	if secret.WellFormed(secret.Browser, browser) {
		keys = append(keys, store.AttemptKey{Key: "device:browser:" + hex.EncodeToString(secret.Hash(browser)), Free: freeCodesBrowser})
	}
	attempt, err := s.Store.CountAttempt(ctx, keys...)
	if err != nil {
		return store.Pending{}, err
	}
	if attempt.Wait > 0 {
		return store.Pending{}, errCodesWait.After(attempt.Wait)
	}
	letters, ok := secret.ParseUserCode(typed)
	if !ok {
		return store.Pending{}, errUserCode
	}
	p, err := s.Store.PendingByUserCode(ctx, letters)
	if err != nil {
		return p, noDevice(err)
	}
	if c, err := s.Store.CachedClient(ctx, p.ClientID); err != nil || !c.Enabled {
		return p, noDevice(err)
	}
	for _, k := range keys {
		if err := s.Store.ForgiveAttempt(ctx, k.Key); err != nil {
			return p, err
		}
	}
	return p, nil
}

func noDevice(err error) error {
	if err == nil || keystone.KindOf(err) == keystone.NotFound {
		return errUserCode
	}
	return err
}

// deviceQR serves GET /device/qr: the address of the page with a code in it, as a
// picture for devices that cannot draw one. It asks nothing of the store, so it
// tells nobody whether the code exists.
func (s *Slice) deviceQR(w http.ResponseWriter, r *http.Request) error {
	letters, ok := secret.ParseUserCode(r.URL.Query().Get("user_code"))
	if !ok {
		return errUserCode
	}
	svg, err := web.QR(s.Issuer.Options.Issuer + "/device?user_code=" + secret.FormatUserCode(letters))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // a device's own page shows it
	httpio.WriteRaw(w, http.StatusOK, "image/svg+xml", svg)
	return nil
}

// elsewhereView is what the consent page says of a client that is not in this
// browser.
type elsewhereView struct {
	Device  bool
	Source  string
	Asked   string
	Until   string
	Message string
}

// elsewhere tells where a flow's client asked from; nil: in this browser.
func (s *Slice) elsewhere(ctx context.Context, f keystone.Flow) (*elsewhereView, error) {
	if f.Request.Pending == "" {
		return nil, nil
	}
	p, err := s.Store.Pending(ctx, f.Request.Pending)
	if keystone.KindOf(err) == keystone.NotFound {
		return nil, errElsewhere
	}
	if err != nil {
		return nil, err
	}
	const clock = "15:04:05 MST"
	return &elsewhereView{p.Kind == store.PendingDevice, p.Source, p.CreatedAt.UTC().Format(clock), p.ExpiresAt.UTC().Format(clock), p.Message}, nil
}

var errElsewhere = keystone.Fail(keystone.NotFound, "This request has expired, or was answered already. Start again where it came from.")

package oauth

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

const (
	// deviceLife is how long a person has to type the code (RFC 8628 section 5.1:
	// short, because the code is).
	deviceLife = 10 * time.Minute
	// pollInterval is how long a client waits between two polls, at first.
	pollInterval = 5 * time.Second
)

// deviceForm documents the form of the device authorization endpoint.
type deviceForm struct {
	ClientProof
	Scope    string   `json:"scope,omitempty" doc:"Scopes, separated by spaces."`
	Resource []string `json:"resource,omitempty" doc:"Whom the token is for (RFC 8707). May repeat."`
	Audience []string `json:"audience,omitempty" doc:"The same as resource."`
	Details  string   `json:"authorization_details,omitempty" doc:"What exactly is asked for, as a JSON array (RFC 9396)."`
}

// deviceAnswer is the answer of RFC 8628 section 3.2.
type deviceAnswer struct {
	DeviceCode      string `json:"device_code" doc:"Poll the token endpoint with it."`
	UserCode        string `json:"user_code" doc:"Show it to the person."`
	VerificationURI string `json:"verification_uri" doc:"Where the person types the code."`
	Complete        string `json:"verification_uri_complete" doc:"The same with the code in it; show it as a QR code (/device/qr?user_code=… draws one)."`
	ExpiresIn       int64  `json:"expires_in" doc:"Seconds until both codes end."`
	Interval        int64  `json:"interval" doc:"Seconds to wait between polls; slow_down adds five."`
}

// deviceAuthorization serves POST /oauth2/device_authorization (RFC 8628 section
// 3.1).
func (s *Slice) deviceAuthorization(w http.ResponseWriter, r *http.Request) error {
	c, form, err := s.clientForm(r)
	if err != nil {
		return err
	}
	if !c.MayUse(keystone.GrantDeviceCode) {
		return token.ErrGrantType
	}
	req, err := s.pendingRequest(r.Context(), c, form)
	if err != nil {
		return err
	}
	now, code := s.Store.Now(), secret.New(secret.DeviceCode)
	by, proved := httpio.Actor(r.Context()), ""
	if c.Confidential() {
		by, proved = asClient(r.Context(), c), c.ID
	}
	if err := s.Start(r.Context(), "device", deviceLife, proved); err != nil {
		return err
	}
	userCode, err := s.addDevice(r.Context(), by, code, store.Pending{
		ID: keystone.NewID(now), Kind: store.PendingDevice, ClientID: c.ID, Request: req, Source: by.Source,
		CreatedAt: now, ExpiresAt: now.Add(deviceLife),
	})
	if err != nil {
		return err
	}
	page := s.Issuer.Options.Issuer + "/device"
	w.Header().Set("Cache-Control", "no-store")
	return httpio.WriteJSON(w, http.StatusOK, deviceAnswer{
		DeviceCode: code, UserCode: userCode, VerificationURI: page, Complete: page + "?user_code=" + userCode,
		ExpiresIn: int64(deviceLife / time.Second), Interval: int64(pollInterval / time.Second),
	})
}

// addDevice stores a pending authorization under a user code that nobody has.
func (s *Slice) addDevice(ctx context.Context, by keystone.Actor, code string, p store.Pending) (userCode string, err error) {
	for range 5 { // with a million codes in use, one in 25,000 is taken
		userCode = secret.UserCode()
		letters, _ := secret.ParseUserCode(userCode)
		if err = s.Store.AddPending(ctx, by, code, letters, p); keystone.KindOf(err) != keystone.Conflict {
			break
		}
	}
	return userCode, err
}

// pendingRequest reads what a client asks for without a browser. What is not the
// client's is refused, because nobody sees that it was left out.
func (s *Slice) pendingRequest(ctx context.Context, c *keystone.Client, form url.Values) (keystone.AuthRequest, error) {
	req := keystone.AuthRequest{ClientID: c.ID}
	scopes, err := askedScopes(ctx, c, form)
	if err != nil {
		return req, err
	}
	if !keystone.Subset(scopes, c.Scopes) {
		keystone.Fact(ctx, "scope asked for", keystone.FormatScope(scopes))
		keystone.Fact(ctx, "scope that the client may have", keystone.FormatScope(c.Scopes))
		return req, errScopeNotForClient
	}
	req.Scopes = scopes
	err = s.fillReach(ctx, c, &req, form)
	return req, err
}

var errScopeNotForClient = keystone.Fail(keystone.Invalid, "The client may not ask for one of these scopes. Register it for the client first.").WithCode("invalid_scope")

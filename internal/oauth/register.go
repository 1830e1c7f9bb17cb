package oauth

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
)

// Registration says whether and how clients register themselves (RFC 7591).
type Registration struct {
	On         bool
	Strangers  store.Strangers   // who may come in without an initial access token
	Statements map[string]string // issuers of software statements, with the addresses of their keys
}

const registerPath = "/oauth2/register"

var (
	errNoRegistration   = keystone.Fail(keystone.NotFound, "Clients do not register themselves here. Ask an administrator of Keystone for one.")
	errOneBearer        = keystone.Fail(keystone.Unauthenticated, "Send the token once: Authorization: Bearer ... (RFC 6750 section 2.1).").WithCode("invalid_token")
	errServerMade       = keystone.Fail(keystone.Invalid, "Leave out what only the server says: registration_access_token, registration_client_uri, client_secret_expires_at and client_id_issued_at (RFC 7592 section 2.2).").WithCode(codeMetadata)
	errMethodNotServed  = keystone.FailField("token_endpoint_auth_method", "This method is not served here: token_endpoint_auth_methods_supported of the metadata lists those that are.").WithCode(codeMetadata)
	errBindingNotServed = keystone.FailField("tls_client_certificate_bound_access_tokens", "TLS client certificates do not reach this server: send false, or leave it out.").WithCode(codeMetadata)
	errOtherID          = keystone.Fail(keystone.Invalid, "client_id must be that of the address (RFC 7592 section 2.2).").WithCode(codeMetadata)
	errOtherSecret      = keystone.Fail(keystone.Invalid, "client_secret must be the client's own, or left out (RFC 7592 section 2.2): a client cannot choose one.").WithCode(codeMetadata)
)

// register serves POST /oauth2/register (RFC 7591 section 3).
func (s *Slice) register(w http.ResponseWriter, r *http.Request) error {
	m, initial, err := s.registrationRequest(r)
	if err != nil {
		return err
	}
	keystone.Checking(r.Context(), "initial access token")
	if err := s.Store.MayRegister(r.Context(), initial, s.Registration.Strangers); err != nil {
		return s.registrationRefused(r, err)
	}
	m, statement, err := s.withStatement(r.Context(), m, "")
	if err == nil {
		err = s.checkSector(r.Context(), m)
	}
	if err != nil {
		return err
	}
	done, err := s.Store.RegisterClient(r.Context(), httpio.Actor(r.Context()), initial, s.Registration.Strangers, statement,
		func(policy keystone.RegistrationPolicy) (keystone.Client, error) {
			keystone.Checking(r.Context(), "client metadata")
			c, err := s.registered(m, keystone.Client{})
			if err != nil {
				return c, err
			}
			return policy.Apply(c)
		})
	if err != nil {
		return s.registrationRefused(r, err)
	}
	httpio.SetClient(r.Context(), done.Client.ID)
	return s.writeRegistration(w, r, http.StatusCreated, done)
}

// readRegistration serves GET /oauth2/register/{client_id} (RFC 7592 section 2.1).
func (s *Slice) readRegistration(w http.ResponseWriter, r *http.Request) error {
	token, err := s.registrationToken(r)
	if err != nil {
		return err
	}
	reg, err := s.Store.Registration(r.Context(), r.PathValue("client_id"), token)
	if err != nil {
		return s.registrationRefused(r, err)
	}
	reg.Token = token
	return s.writeRegistration(w, r, http.StatusOK, reg)
}

// replaceRegistration serves PUT /oauth2/register/{client_id} (RFC 7592 section 2.2):
// what the request leaves out goes back to its default.
func (s *Slice) replaceRegistration(w http.ResponseWriter, r *http.Request) error {
	m, token, err := s.registrationRequest(r)
	if err != nil {
		return err
	}
	ctx, id := r.Context(), r.PathValue("client_id")
	before, err := s.Store.Registration(ctx, id, token)
	if err != nil {
		return s.registrationRefused(r, err)
	}
	if err := s.mayReplace(r, m, id); err != nil {
		return err
	}
	m, statement, err := s.withStatement(ctx, m, before.Statement)
	if err == nil {
		err = s.checkSector(ctx, m)
	}
	if err != nil {
		return err
	}
	done, err := s.Store.ReplaceRegistration(ctx, httpio.Actor(ctx), id, token, statement, func(c keystone.Client, reg store.Registration) (keystone.Client, error) {
		keystone.Checking(ctx, "client metadata")
		c, err := s.registered(m, c)
		if err != nil {
			return c, err
		}
		return reg.Policy.Apply(c)
	})
	if err != nil {
		return s.registrationRefused(r, err)
	}
	done.Token = token
	return s.writeRegistration(w, r, http.StatusOK, done)
}

// registered makes of c what the metadata says, as far as it is served here: a client
// that registered what the settings do not allow for could never prove itself.
func (s *Slice) registered(m clientMetadata, c keystone.Client) (keystone.Client, error) {
	c, err := m.client(c)
	switch {
	case err != nil:
	case !slices.Contains(s.authMethodNames(true), c.AuthMethod):
		err = errMethodNotServed
	case c.TLSBound && !s.TLS.Served:
		err = errBindingNotServed
	}
	return c, err
}

// mayReplace checks what a change must and must not name (RFC 7592 section 2.2).
func (s *Slice) mayReplace(r *http.Request, m clientMetadata, id string) error {
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		if m.has(name) {
			return errServerMade
		}
	}
	if named, err := m.text("client_id"); err != nil || named != id {
		return errOtherID
	}
	if !m.has("client_secret") {
		return nil
	}
	value, err := m.text("client_secret")
	if err != nil {
		return err
	}
	_, proved, err := s.Store.ProveClient(r.Context(), id, value)
	if err == nil && !proved {
		return errOtherSecret
	}
	return err
}

// deleteRegistration serves DELETE /oauth2/register/{client_id} (RFC 7592 section
// 2.3).
func (s *Slice) deleteRegistration(w http.ResponseWriter, r *http.Request) error {
	token, err := s.registrationToken(r)
	if err != nil {
		return err
	}
	if err := s.Store.DeleteRegistration(r.Context(), httpio.Actor(r.Context()), r.PathValue("client_id"), token); err != nil {
		return s.registrationRefused(r, err)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// maxMetadata is the largest registration: a key set of the largest size fits.
const maxMetadata = 128 << 10

func (s *Slice) registrationRequest(r *http.Request) (clientMetadata, string, error) {
	token, err := s.registrationToken(r)
	if err != nil {
		return nil, "", err
	}
	keystone.Checking(r.Context(), "body")
	m, err := httpio.Object(r, maxMetadata)
	return m, token, err
}

// registrationToken is the bearer token of a request; empty: none.
func (s *Slice) registrationToken(r *http.Request) (string, error) {
	if !s.Registration.On {
		return "", errNoRegistration
	}
	keystone.Checking(r.Context(), "token for registration")
	headers := r.Header["Authorization"]
	if len(headers) == 0 {
		return "", nil
	}
	p, ok := Presented(nil, r, headers[0])
	if len(headers) > 1 || !ok || p.DPoP {
		return "", errOneBearer
	}
	x := httpio.ExchangeOf(r.Context())
	x.TokenSent = true
	return p.Token, s.Allow(r.Context(), "", x.Actor.Source)
}

// metadataNames are the names that a registration has for what is called otherwise
// where it is checked; those of settings are in registrable.
var metadataNames = map[string]string{"name": "client_name", "client_names": "client_name#TAG", "scopes": "scope", "grants": "grant_types"}

// inMetadata names the fields of a refusal as the request does.
func inMetadata(fields map[string]string) map[string]string {
	named := make(map[string]string, len(fields))
	for field, why := range fields {
		name := cmp.Or(metadataNames[field], field)
		for registered, setting := range registrable {
			if setting == field {
				name = registered
			}
		}
		named[name] = why
	}
	return named
}

// registrationRefused puts a refusal into the codes of RFC 7591 section 3.2.2 and the
// names of its metadata, and counts a token that does not hold.
func (s *Slice) registrationRefused(r *http.Request, err error) error {
	var e *keystone.Error
	if !errors.As(err, &e) {
		return err
	}
	if len(e.Fields) > 0 {
		said := *e
		said.Fields = inMetadata(e.Fields)
		e, err = &said, &said
	}
	switch {
	case e.Kind == keystone.Unauthenticated:
		s.Failed(r.Context(), "", httpio.Actor(r.Context()).Source)
	case e.Kind == keystone.Invalid && e.Code == "" && e.Fields["redirect_uris"] != "":
		return e.WithCode("invalid_redirect_uri")
	case e.Kind == keystone.Invalid && e.Code == "":
		return e.WithCode(codeMetadata)
	}
	return err
}

// writeRegistration answers with what is registered (RFC 7591 section 3.2.1).
func (s *Slice) writeRegistration(w http.ResponseWriter, r *http.Request, status int, reg store.Registration) error {
	// The client is there already, and this is the only answer with its secrets: a key
	// that cannot be made now is made at its first use.
	if err := s.Ring.Prepare(r.Context(), reg.Client.AnswerAlgs()...); err != nil {
		s.Log.WarnContext(r.Context(), "keys of a registered client not made", "client_id", reg.Client.ID, "error", err)
	}
	m := metadataOf(reg.Client)
	m["registration_access_token"] = reg.Token
	m["registration_client_uri"] = s.Issuer.Options.Issuer + registerPath + "/" + url.PathEscape(reg.Client.ID)
	if reg.Statement != "" {
		m["software_statement"] = reg.Statement
	}
	if reg.Secret != "" {
		m["client_secret"], m["client_secret_expires_at"] = reg.Secret, 0
	}
	w.Header().Set("Cache-Control", "no-store")
	return httpio.WriteJSON(w, status, m)
}

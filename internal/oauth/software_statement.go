package oauth

import (
	"context"
	"maps"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/jose"
)

var (
	errStatement   = keystone.Fail(keystone.Invalid, "The software statement is not a JWT that is good now (RFC 7591 section 2.3).").WithCode("invalid_software_statement")
	errUnapproved  = keystone.Fail(keystone.Invalid, "The software statement is not signed by an issuer that is trusted here (RFC 7591 section 3.2.2).").WithCode("unapproved_software_statement")
	statementTypes = []string{"software-statement+jwt", "jwt", ""}
)

// withStatement puts the claims of a software statement over what the request says
// (RFC 7591 section 2.3). A client that came with one stays under it: kept is the
// statement that was checked then.
func (s *Slice) withStatement(ctx context.Context, m clientMetadata, kept string) (clientMetadata, string, error) {
	raw, err := m.text("software_statement")
	if err != nil {
		return nil, "", err
	}
	keystone.Checking(ctx, "software statement")
	fresh := raw != "" && raw != kept
	if !fresh {
		if raw = kept; raw == "" {
			return m, "", nil
		}
	}
	t, err := jose.Parse(raw, keystone.AssertionAlgs(), statementTypes...)
	if err != nil {
		return nil, "", errStatement
	}
	if fresh {
		if err := s.believed(ctx, t); err != nil {
			return nil, "", err
		}
	}
	over := maps.Clone(m)
	for _, name := range t.Claims.Names() {
		if t.Claims.Has(name) && !statementOnly[name] {
			over[name] = t.Claims.Raw(name)
		}
	}
	return over, raw, nil
}

// statementOnly are claims about the statement itself, and what a statement cannot
// say of one client.
var statementOnly = map[string]bool{
	"iss": true, "sub": true, "aud": true, "exp": true, "nbf": true, "iat": true, "jti": true,
	"client_id": true, "client_secret": true, "software_statement": true,
}

// believed checks who signed a statement and when.
func (s *Slice) believed(ctx context.Context, t *jose.Token) error {
	address, trusted := s.Registration.Statements[t.Claims.Text("iss")]
	if !trusted {
		return errUnapproved
	}
	now := s.Store.Now()
	if exp, ok := t.Claims.Time("exp"); t.Claims.Has("exp") && (!ok || !now.Before(exp.Add(clockLeeway))) {
		return errStatement
	}
	for _, name := range []string{"iat", "nbf"} {
		if at, ok := t.Claims.Time(name); t.Claims.Has(name) && (!ok || at.After(now.Add(aheadMost))) {
			return errStatement
		}
	}
	good, err := s.Keys.VerifyAt(ctx, address, t)
	if err == nil && !good {
		err = errUnapproved
	}
	return err
}

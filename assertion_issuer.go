package keystone

import "slices"

// AssertionIssuer lets a client have tokens for people whom another issuer vouches
// for (RFC 7523 section 2.1). There is nothing without it. Who is who is said here
// and by ids alone: an e-mail address that another issuer names proves nothing.
type AssertionIssuer struct {
	Issuer          string          `json:"issuer" maxLength:"2000" doc:"iss of its assertions, an https address."`
	JWKSURI         string          `json:"jwks_uri,omitempty" maxLength:"2000" doc:"Where its keys are. Left out: where its metadata says (OpenID Connect Discovery)."`
	SubjectIsUserID bool            `json:"subject_is_user_id,omitempty" doc:"The sub of its assertions is the id of a user here: it may speak for every user."`
	Users           []AssertionUser `json:"users,omitempty" maxItems:"200" doc:"Whom it may speak for, where subject_is_user_id is not set."`
	Scopes          []string        `json:"scopes,omitempty" maxItems:"200" doc:"The most that the token may carry, besides what the user and the client hold. Left out: no such bound."`
}

// AssertionUser is a user as another issuer knows them.
type AssertionUser struct {
	Subject string `json:"subject" maxLength:"500" doc:"sub of the assertions, to the letter."`
	UserID  string `json:"user_id" doc:"The user here."`
}

const (
	maxAssertionIssuers = 10
	maxAssertionUsers   = 200
)

// AssertionIssuer returns what the client may do with assertions of an issuer.
func (s *ClientSettings) AssertionIssuer(issuer string) (AssertionIssuer, bool) {
	for _, a := range s.JWTBearer {
		if a.Issuer == issuer {
			return a, true
		}
	}
	return AssertionIssuer{}, false
}

// User returns the id of the user that a subject is.
func (a AssertionIssuer) User(subject string) (id string, ok bool) {
	if a.SubjectIsUserID {
		return subject, IsID(subject)
	}
	for _, u := range a.Users {
		if u.Subject == subject {
			return u.UserID, true
		}
	}
	return "", false
}

func (s *ClientSettings) validateJWTBearer(c *Client, f fields) {
	const field = "jwt_bearer"
	switch {
	case len(s.JWTBearer) > maxAssertionIssuers:
		f[field] = "Name at most 10 issuers."
		return
	case len(s.JWTBearer) > 0 && !c.Confidential():
		f[field] = "Only clients of kind service or web can use assertions about people: a public client has nothing to prove itself with."
		return
	}
	for i, a := range s.JWTBearer {
		why := issuerProblem(a.Issuer, a.JWKSURI)
		switch {
		case why != "":
			f[field] = why
		case slices.ContainsFunc(s.JWTBearer[:i], func(o AssertionIssuer) bool { return o.Issuer == a.Issuer }):
			f[field] = "There are two entries for the same issuer: make them one."
		case a.SubjectIsUserID == (len(a.Users) > 0):
			f[field] = "Say whom an issuer may speak for: list users, or set subject_is_user_id; not both."
		case len(a.Users) > maxAssertionUsers:
			f[field] = "List at most 200 users of an issuer."
		case validScopeList(a.Scopes) != nil:
			f[field] = "A scope of an issuer is the name of one."
		}
		for n, u := range a.Users {
			if !isSubject(u.Subject) || !IsID(u.UserID) {
				f[field] = "A user of an issuer is a subject of 1 to 500 printable ASCII characters and the id of a user here."
			}
			if slices.ContainsFunc(a.Users[:n], func(o AssertionUser) bool { return o.Subject == u.Subject }) {
				f[field] = "There are two users for the same subject of an issuer."
			}
		}
	}
}

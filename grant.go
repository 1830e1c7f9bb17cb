package keystone

import "time"

// Grant is what a person allowed a client, and the family of refresh tokens
// that carries it. The tokens themselves are not stored: a refresh token names
// its family and generation under a keyed hash (see secret.RefreshTokens), so
// rotating one is counting Generation up in one statement.
type Grant struct {
	ID         string
	UserID     string
	ClientID   string
	SessionID  string
	Scopes     []string // the most that may be asked for, sorted
	Audiences  []string
	Details    Details   // the most that may be asked for (RFC 9396)
	Claims     []string  // of userinfo, asked for by name besides those of the scopes, sorted
	Generation uint32    // of the newest refresh token
	RotatedAt  time.Time // when that one was first handed out
	CreatedAt  time.Time
	ExpiresAt  time.Time // of the newest refresh token
	EndsAt     time.Time // absolute end of the family
	RevokedAt  time.Time // zero: alive
	Reason     string
	Bound      Confirmation // the key whose holder alone may refresh (a public client's, RFC 9449 section 5)
	SignIn     SignIn       // zero: no ID token comes of its refresh tokens
}

// SignIn is what ID tokens say of how a person signed in. Those that come of refresh
// tokens repeat what the first one said (OpenID Connect Core section 12.2): who has
// signed in again since has not done so for this grant.
type SignIn struct {
	At     time.Time // auth_time, to the second
	ACR    string
	AMR    []string
	Claims []string // asked for by name (section 5.5), sorted
}

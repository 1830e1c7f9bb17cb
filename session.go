package keystone

import "time"

// Session is one person signed in on one device.
type Session struct {
	ID        string
	UserID    string
	Username  string // for lists
	ClientID  string // through which the person signed in
	Source    string // address at sign-in
	UserAgent string // at sign-in, shortened
	AMR       []string
	CreatedAt time.Time
	LastSeen  time.Time // last sign-in or refresh
	ExpiresAt time.Time // absolute end
	EndedAt   time.Time // zero: alive
	EndReason string
}

// Alive reports whether the session holds at now.
func (s Session) Alive(now time.Time) bool { return s.EndedAt.IsZero() && now.Before(s.ExpiresAt) }

// Authentication method references (RFC 8176).
const AMRPassword = "pwd"

// Why sessions and refresh token families end. They are stored and shown.
const (
	EndLogout          = "logout"
	EndRevoked         = "revoked"          // by its owner or an administrator
	EndPasswordChanged = "password_changed" // other sessions end with the old password
	EndUserDisabled    = "user_disabled"
	EndUserDeleted     = "user_deleted"
	EndClientDisabled  = "client_disabled"
	EndReuse           = "refresh_token_reuse" // a used refresh token came again (RFC 9700 section 4.14.2)
	EndTokenRevoked    = "token_revoked"       // RFC 7009
	EndConsentRevoked  = "consent_revoked"
	EndCodeReuse       = "code_reuse" // a used authorization code came again (RFC 6749 section 4.1.2)
)

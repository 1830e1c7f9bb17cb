package keystone

import "time"

// AuditEvent is one row of the audit trail: who did what to whom, and how it
// came out. It never holds a secret. It is written in the transaction of the
// change it tells of.
type AuditEvent struct {
	Seq        int64 // made by the database; the order of the trail
	ID         string
	At         time.Time
	ActorKind  ActorKind
	ActorID    string
	ActorName  string
	ClientID   string
	Source     string
	RequestID  string
	Action     string
	TargetKind string // user, role, scope, client, session, grant, key, server
	TargetID   string
	TargetName string
	Detail     map[string]any // before and after, reasons; no secrets
}

// The actions. The list is closed: filters, dashboards and alerts rely on it.
const (
	ActUserCreated         = "user.created"
	ActUserUpdated         = "user.updated"
	ActUserEnabled         = "user.enabled"
	ActUserDisabled        = "user.disabled"
	ActUserDeleted         = "user.deleted"
	ActUserRolesChanged    = "user.roles_changed"
	ActUserUnlocked        = "user.unlocked"
	ActPasswordChanged     = "password.changed"
	ActPasswordRehashed    = "password.rehashed"
	ActPasswordReset       = "password.reset_started"
	ActSignInSucceeded     = "sign_in.succeeded"
	ActSignInFailed        = "sign_in.failed"
	ActSessionEnded        = "session.ended"
	ActSessionsEnded       = "sessions.ended"
	ActTokenRefreshed      = "token.refreshed"
	ActTokenIssued         = "token.issued" // stored access tokens; stateless ones are counted as usage
	ActTokenRevoked        = "token.revoked"
	ActTokenReuse          = "token.reuse_detected"
	ActRoleCreated         = "role.created"
	ActRoleUpdated         = "role.updated"
	ActRoleDeleted         = "role.deleted"
	ActScopeCreated        = "scope.created"
	ActScopeUpdated        = "scope.updated"
	ActScopeDeleted        = "scope.deleted"
	ActClientCreated       = "client.created"
	ActClientUpdated       = "client.updated"
	ActClientDeleted       = "client.deleted"
	ActClientSecretAdded   = "client.secret_added"
	ActClientSecretRemoved = "client.secret_removed"
	ActClientAuthFailed    = "client.authentication_failed"
	ActAccessDenied        = "access.denied"
	ActKeyCreated          = "key.created"
	ActKeyRevoked          = "key.revoked"
	ActSetupLinkMade       = "setup.link_created"
	ActSetupDone           = "setup.completed"
	ActAuditPruned         = "audit.pruned"
	ActConsentGiven        = "consent.given"
	ActConsentRevoked      = "consent.revoked"
	ActCodeRedeemed        = "code.redeemed"
	ActCodeBurned          = "code.burned" // a wrong verifier or key came with it
	ActMessagesRetried     = "messages.retried"
	ActCodeReuse           = "code.reuse_detected"

	// Of a person who is somewhere else than the client (RFC 8628, CIBA).
	ActAuthorizationAsked    = "authorization.asked"
	ActAuthorizationApproved = "authorization.approved"
	ActAuthorizationDenied   = "authorization.denied"
	ActAuthorizationRedeemed = "authorization.redeemed"

	ActTokenExchanged = "token.exchanged" // RFC 8693
	ActTokenAsserted  = "token.asserted"  // RFC 7523: for a person whom another issuer vouches for

	// Initial access tokens (RFC 7591 section 3).
	ActRegistrationTokenCreated = "registration_token.created"
	ActRegistrationTokenRevoked = "registration_token.revoked"
)

// AuditFilter selects rows of the trail; empty fields select everything.
type AuditFilter struct {
	From, To time.Time // [From, To)
	Actor    string    // id or name
	Action   string    // exact, or a family such as "user."
	Target   string    // id or name
}

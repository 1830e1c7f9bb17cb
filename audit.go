package keystone

import (
	"strings"
	"time"
)

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

// The actions. The list is closed: filters, dashboards and alerts rely on it. What
// is said of each is what docs/AUDIT.md says.
const (
	ActUserCreated         = "user.created"                 // An account was made: by an administrator, the command line, or its owner at registration.
	ActUserUpdated         = "user.updated"                 // Name, address or other facts of an account were changed.
	ActUserEnabled         = "user.enabled"                 // An account may sign in again.
	ActUserDisabled        = "user.disabled"                // An account was switched off; its sessions and tokens ended.
	ActUserDeleted         = "user.deleted"                 // An account was deleted with everything that hangs on it.
	ActUserRolesChanged    = "user.roles_changed"           // Roles of an account were given or taken.
	ActUserUnlocked        = "user.unlocked"                // The failure counters of an account were cleared.
	ActPasswordChanged     = "password.changed"             // A password was set: by its owner, a reset link or the command line; all other sessions ended.
	ActPasswordRehashed    = "password.rehashed"            // A hash was renewed with present costs at a sign-in; the password is the same.
	ActPasswordReset       = "password.reset_started"       // A reset link was made: the old password and all sessions are gone.
	ActSignInSucceeded     = "sign_in.succeeded"            // Somebody signed in.
	ActSignInFailed        = "sign_in.failed"               // A sign-in or the confirmation of a password was refused; the detail says why.
	ActSessionEnded        = "session.ended"                // A session ended: signed out, or ended by somebody else.
	ActSessionsEnded       = "sessions.ended"               // All sessions of a user were ended at once.
	ActTokenRefreshed      = "token.refreshed"              // A refresh token was used: `presented_generation` is said of the first of a family, of each 32nd, and where tokens do not rotate; `grace` says once more, within REFRESH_GRACE_SECONDS.
	ActTokenIssued         = "token.issued"                 // An opaque access token was stored; JWTs are counted as usage.
	ActTokenRevoked        = "token.revoked"                // A token was revoked, or the family of a refresh token.
	ActTokenReuse          = "token.reuse_detected"         // A refresh token came again after its successor was used: the family is revoked. Look into it: it may have been stolen.
	ActRoleCreated         = "role.created"                 // A role was made.
	ActRoleUpdated         = "role.updated"                 // Name, description or scopes of a role were changed.
	ActRoleDeleted         = "role.deleted"                 // A role was deleted.
	ActScopeCreated        = "scope.created"                // A scope was made.
	ActScopeUpdated        = "scope.updated"                // The description of a scope was changed.
	ActScopeDeleted        = "scope.deleted"                // A scope was deleted.
	ActClientCreated       = "client.created"               // A client was made, or registered itself; what a stranger says of itself is shortened in the detail.
	ActClientUpdated       = "client.updated"               // Settings of a client were changed; switching it on and off too.
	ActClientDeleted       = "client.deleted"               // A client was deleted.
	ActClientSecretAdded   = "client.secret_added"          // A client got a secret.
	ActClientSecretRemoved = "client.secret_removed"        // A secret of a client was withdrawn.
	ActClientAuthFailed    = "client.authentication_failed" // A client did not prove itself; once a minute for each client and source.
	ActAccessDenied        = "access.denied"                // Somebody was refused for want of a right; once a minute for each actor and route.
	ActServerPanicked      = "server.panicked"              // A handler broke off in a way that nobody foresaw; once a minute for each route. The log says where, under the request id.
	ActKeyCreated          = "key.created"                  // A signing key was made.
	ActKeyActivated        = "key.activated"                // A signing key that waited signs before its time: its algorithm had no other.
	ActKeyRevoked          = "key.revoked"                  // A signing key was withdrawn with all that it signed.
	ActSetupLinkMade       = "setup.link_created"           // A link was made that makes the first administrator.
	ActSetupDone           = "setup.completed"              // The first administrator was made.
	ActAuditPruned         = "audit.pruned"                 // Rows past their retention were deleted from this trail.
	ActConsentGiven        = "consent.given"                // A person allowed a client something.
	ActConsentRevoked      = "consent.revoked"              // A person took back what a client was allowed.
	ActCodeRedeemed        = "code.redeemed"                // An authorization code was exchanged for tokens.
	ActCodeBurned          = "code.burned"                  // A wrong verifier or key came with an authorization code: it is worth nothing any more.
	ActMessagesRetried     = "messages.retried"             // Messages to other servers were made due again.
	ActCodeReuse           = "code.reuse_detected"          // A used authorization code came again: what it gave is revoked (RFC 6749 section 4.1.2). Look into it: it may have been stolen.

	// Of a person who is somewhere else than the client (RFC 8628, CIBA).
	ActAuthorizationAsked    = "authorization.asked"    // A client that has proved itself asked for a person who is somewhere else; what a public client asks for is in the answer.
	ActAuthorizationApproved = "authorization.approved" // The person allowed it.
	ActAuthorizationDenied   = "authorization.denied"   // The person refused it.
	ActAuthorizationRedeemed = "authorization.redeemed" // The client fetched its tokens.

	ActTokenExchanged = "token.exchanged" // A client got a token for another one (RFC 8693).
	ActTokenAsserted  = "token.asserted"  // A client got a token for a person whom another issuer vouches for (RFC 7523).

	// Initial access tokens (RFC 7591 section 3).
	ActRegistrationTokenCreated = "registration_token.created" // A token was made with which clients register themselves.
	ActRegistrationTokenRevoked = "registration_token.revoked" // Such a token was withdrawn.
)

// AuditFilter selects rows of the trail; empty fields select everything.
type AuditFilter struct {
	From, To time.Time // [From, To)
	Actor    string    // id or name
	Action   string    // exact, or a family such as "user."
	Target   string    // id or name
}

// HasAction reports whether events of an action are asked for.
func (f AuditFilter) HasAction(action string) bool {
	return f.Action == "" || f.Action == action || strings.HasSuffix(f.Action, ".") && strings.HasPrefix(action, f.Action)
}

package keystone

import (
	"slices"
	"strings"
)

// AuditActions is every action of the trail.
var AuditActions = []string{
	ActUserCreated, ActUserUpdated, ActUserEnabled, ActUserDisabled, ActUserDeleted, ActUserRolesChanged, ActUserUnlocked, ActPasswordChanged,
	ActPasswordRehashed, ActPasswordReset, ActSignInSucceeded, ActSignInFailed, ActSessionEnded, ActSessionsEnded, ActTokenRefreshed, ActTokenIssued,
	ActTokenRevoked, ActTokenReuse, ActRoleCreated, ActRoleUpdated, ActRoleDeleted, ActScopeCreated, ActScopeUpdated, ActScopeDeleted, ActClientCreated,
	ActClientUpdated, ActClientDeleted, ActClientSecretAdded, ActClientSecretRemoved, ActClientAuthFailed, ActAccessDenied, ActServerPanicked, ActKeyCreated, ActKeyActivated, ActKeyRevoked,
	ActSetupLinkMade, ActSetupDone, ActAuditPruned, ActConsentGiven, ActConsentRevoked, ActCodeRedeemed, ActCodeBurned, ActMessagesRetried, ActCodeReuse,
	ActAuthorizationAsked, ActAuthorizationApproved, ActAuthorizationDenied, ActAuthorizationRedeemed, ActTokenExchanged, ActTokenAsserted,
	ActRegistrationTokenCreated, ActRegistrationTokenRevoked,
}

// CheckAuditAction refuses a filter that no row can meet: an action, or a family of them
// with the dot, that there is not. Empty is every action.
func CheckAuditAction(name string) error {
	family := strings.HasSuffix(name, ".")
	if name == "" || slices.ContainsFunc(AuditActions, func(known string) bool { return known == name || family && strings.HasPrefix(known, name) }) {
		return nil
	}
	best, fewest := "", len(name)+1
	for _, known := range AuditActions {
		prefix, _, _ := strings.Cut(known, ".")
		for _, known := range []string{known, prefix + "."} {
			if n := Edits(name, known); n < fewest {
				best, fewest = known, n
			}
		}
	}
	why := "There is no such action: docs/AUDIT.md lists them."
	if best != "" && fewest <= 1+len(name)/4 {
		why = "There is no such action: is it " + best + "? docs/AUDIT.md lists them."
	}
	return FailField("action", why)
}

// Edits is how many insertions, removals and changes make b of a.
func Edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// How many failures in a row are free before attempts must wait (see
// store.AttemptKey for how long).
const (
	freeNamed  = 5   // one name, from one source
	freeSource = 10  // one account, from one source, under all its names
	freeWide   = 100 // one account, from everywhere (NIST SP 800-63B-4 section 3.2.2)
)

// counters are the failure counters of one attempt. All of an account's share a
// prefix, so that an administrator can unlock it.
//
// An account has two names, username and e-mail address. Were there one counter
// for both that shows itself, failing under one name and then asking under the
// other would tell whether they belong together, and so whether they exist.
// Therefore what shows itself is counted by the name as it was typed, the same
// for names that nobody has; what is counted by account and source only makes
// the answer "not right". The counter over all sources shows itself too: it
// takes a hundred failures to move, and leaves the owner alone (countCrowd).
type counters struct {
	account string // user id, or a digest of a name that nobody has
	source  string
}

func countersOf(l store.Login, typed, source string) counters {
	source = keystone.Network(source)
	if l.UserID == "" {
		return counters{"?" + digest(typed), source}
	}
	return counters{l.UserID, source}
}

// Prefix begins every failure counter of a user, for store.Unlock.
func Prefix(userID string) string { return "a:" + userID + "|" }

func (c counters) wide() string { return Prefix(c.account) + "*" }

func (c counters) perSource() string { return Prefix(c.account) + "s:" + c.source }

func (c counters) perName(name string) string {
	return Prefix(c.account) + "n:" + digest(name) + ":" + c.source
}

// ofOwner are the counters that end when the account's owner has shown the
// password.
func (c counters) ofOwner(l store.Login) []string {
	return []string{c.wide(), c.perSource(), c.perName(l.Username), c.perName(l.Email)}
}

// digest stands for a name in a counter's key. People type passwords into the
// wrong field; so what was typed is not kept.
func digest(name string) string {
	folded, err := keystone.FoldUsername(name)
	if strings.Contains(name, "@") {
		folded, err = keystone.FoldEmail(name)
	}
	if err != nil {
		folded = strings.ToLower(name)
	}
	sum := sha256.Sum256([]byte(folded))
	return hex.EncodeToString(sum[:16])
}

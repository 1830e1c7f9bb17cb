package store

import (
	"cmp"
	"context"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

const (
	minGivenSecret  = 32  // characters
	maxGivenSecret  = 200 // characters
	minGivenLetters = 10  // different ones; 32 random hexadecimal digits have 14
)

var (
	errGivenID     = keystone.FailField("client_id", "A client_id is a UUID in lower case that no user and no other client has; leave it out to have one made.")
	errGivenSecret = keystone.FailField("client_secret", "A client secret is 32 to 200 random characters of A-Z a-z 0-9 . _ ~ + / = and -, such as from: openssl rand -base64 32")
)

// CreateGivenClient is CreateClient for whoever holds the server's configuration
// and wrote down id and secret beforehand; what is empty is made. Only the hash of
// a secret is kept, and a plain one, so it has to be as random as Keystone's own:
// what looks like a word is refused. An id never equals the sub of a user (RFC 9700
// section 4.15).
func (s *Store) CreateGivenClient(ctx context.Context, by keystone.Actor, c keystone.Client, id, value string) (created keystone.Client, clientSecret string, err error) {
	if by.Kind != keystone.ActorOperator && by.Kind != keystone.ActorSystem {
		return c, "", errForbidden
	}
	if id != "" && !keystone.IsID(id) {
		return c, "", errGivenID
	}
	if value != "" && !randomLooking(value) {
		return c, "", errGivenSecret
	}
	if value != "" && !c.Confidential() {
		return c, "", errPublicClient
	}
	if value != "" && !c.HasSecret() {
		return c, "", errNoSecretMethod // to drop it in silence would leave a program with a secret that nobody knows
	}
	c.Registration = ""
	id = cmp.Or(id, keystone.NewID(s.now()))
	err = s.InTx(ctx, func(tx *Store) error {
		var taken string
		if found, err := tx.row(ctx, `SELECT id FROM users WHERE id = $1 UNION ALL SELECT id FROM clients WHERE id = $1`, []any{id}, &taken); err != nil {
			return err
		} else if found {
			return errGivenID
		}
		created, clientSecret, err = tx.createClient(ctx, by, c.WithScopes(), id, cmp.Or(value, secret.New(secret.ClientSecret)))
		return err
	})
	return created, clientSecret, s.fail("create client", err)
}

// randomLooking reports whether a chosen secret has the length and the variety of
// a random one.
func randomLooking(value string) bool {
	if len(value) < minGivenSecret || len(value) > maxGivenSecret {
		return false
	}
	different := map[rune]bool{}
	for _, r := range value {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._~+/=-", r) {
			return false
		}
		different[r] = true
	}
	return len(different) >= minGivenLetters
}

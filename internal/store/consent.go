package store

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
)

// Consent is what a user allowed a client.
type Consent struct {
	ClientID   string
	ClientName string
	Scopes     []string
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// consented reads the scopes of a consent that may not be there: no scope is
// something too.
func consented(scopes *string) (list []string, found bool) {
	if scopes == nil {
		return nil, false
	}
	return unwords(*scopes), true
}

// AddConsent remembers that the user allowed the client these scopes, besides
// those they allowed before.
func (s *Store) AddConsent(ctx context.Context, by keystone.Actor, userID string, c keystone.Client, scopes []string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		var text string
		if _, err := tx.row(ctx, `SELECT scopes FROM consents WHERE user_id = $1 AND client_id = $2`, []any{userID, c.ID}, &text); err != nil {
			return err
		}
		before := unwords(text)
		after := keystone.SortedSet(append(keystone.SortedSet(before), scopes...))
		_, err := tx.q.exec(ctx, `INSERT INTO consents (user_id, client_id, scopes, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
			ON CONFLICT (user_id, client_id) DO UPDATE SET scopes = excluded.scopes, updated_at = excluded.updated_at`, userID, c.ID, words(after), micros(tx.now()))
		if err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActConsentGiven, TargetKind: "client", TargetID: c.ID, TargetName: c.Name,
			Detail: map[string]any{"user_id": userID, "before": before, "after": after}})
	})
	return s.fail("add consent", err)
}

// Consents lists what a user allowed, by client id.
func (s *Store) Consents(ctx context.Context, userID string, p keystone.Page) (keystone.List[Consent], error) {
	list, err := all(ctx, s, func(scan func(...any) error) (c Consent, err error) {
		var scopes string
		var created, updated int64
		err = scan(&c.ClientID, &c.ClientName, &scopes, &created, &updated)
		c.Scopes, c.CreatedAt, c.UpdatedAt = unwords(scopes), moment(created), moment(updated)
		return c, err
	}, `SELECT c.client_id, k.name, c.scopes, c.created_at, c.updated_at FROM consents c JOIN clients k ON k.id = c.client_id WHERE c.user_id = $1 AND c.client_id > $2 ORDER BY c.client_id LIMIT $3`, userID, p.After, p.Size()+1)
	return page(list, p.Size(), func(c Consent) string { return c.ClientID }), s.fail("list consents", err)
}

// RevokeConsent takes back what a user allowed a client, with its tokens. A code that is redeemed
// at this moment either finds no consent, or its grant is found here.
func (s *Store) RevokeConsent(ctx context.Context, by keystone.Actor, userID, clientID string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		n, err := tx.q.exec(ctx, `DELETE FROM consents WHERE user_id = $1 AND client_id = $2`, userID, clientID)
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("connected app")
		}
		ids, err := tx.texts(ctx, `UPDATE grants SET revoked_at = $1, reason = $2 WHERE user_id = $3 AND client_id = $4 AND revoked_at = 0 RETURNING id`,
			micros(tx.now()), keystone.EndConsentRevoked, userID, clientID)
		if err != nil {
			return err
		}
		tx.dropGrants(ids)
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActConsentRevoked, TargetKind: "client", TargetID: clientID, Detail: map[string]any{"user_id": userID}})
	})
	return s.fail("revoke consent", err)
}

package store

import (
	"context"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
)

// Consent is what a user allowed a client.
type Consent struct {
	ClientID   string
	ClientName string
	Scopes     []string
	Audiences  []string // for which they hold, besides Keystone itself
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Allowed is what a person allows a client now.
type Allowed struct {
	Consented []string // scopes, sorted
	Reached   []string // audiences besides Keystone itself for which they hold, sorted
	Connected bool     // there is a consent; no scope is something too
}

// consented reads a consent that may not be there.
func consented(scopes, audiences *string) Allowed {
	if scopes == nil || audiences == nil {
		return Allowed{}
	}
	return Allowed{unwords(*scopes), unwords(*audiences), true}
}

// AddConsent remembers that the user allowed the client these scopes, for these
// audiences besides Keystone itself, besides what they allowed before.
func (s *Store) AddConsent(ctx context.Context, by keystone.Actor, userID string, c keystone.Client, scopes, audiences []string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		var text, reached string
		if _, err := tx.row(ctx, `SELECT scopes, audiences FROM consents WHERE user_id = $1 AND client_id = $2`, []any{userID, c.ID}, &text, &reached); err != nil {
			return err
		}
		before := unwords(text)
		after, reach := joined(before, scopes), joined(unwords(reached), audiences)
		_, err := tx.q.exec(ctx, `INSERT INTO consents (user_id, client_id, scopes, audiences, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)
			ON CONFLICT (user_id, client_id) DO UPDATE SET scopes = excluded.scopes, audiences = excluded.audiences, updated_at = excluded.updated_at`,
			userID, c.ID, words(after), words(reach), micros(tx.now()))
		if err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActConsentGiven, TargetKind: "client", TargetID: c.ID, TargetName: c.Name,
			Detail: map[string]any{"user_id": userID, "before": before, "after": after, "audiences": reach}})
	})
	return s.fail("add consent", err)
}

func joined(a, b []string) []string { return keystone.SortedSet(slices.Concat(a, b)) }

// Consents lists what a user allowed, by client id.
func (s *Store) Consents(ctx context.Context, userID string, p keystone.Page) (keystone.List[Consent], error) {
	list, err := all(ctx, s, func(scan func(...any) error) (c Consent, err error) {
		var scopes, audiences string
		var created, updated int64
		err = scan(&c.ClientID, &c.ClientName, &scopes, &audiences, &created, &updated)
		c.Scopes, c.Audiences, c.CreatedAt, c.UpdatedAt = unwords(scopes), unwords(audiences), moment(created), moment(updated)
		return c, err
	}, `SELECT c.client_id, k.name, c.scopes, c.audiences, c.created_at, c.updated_at FROM consents c JOIN clients k ON k.id = c.client_id WHERE c.user_id = $1 AND c.client_id > $2 ORDER BY c.client_id LIMIT $3`, userID, p.After, p.Size()+1)
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

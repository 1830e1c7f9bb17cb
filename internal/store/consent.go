package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keystone-auth/keystone"
)

// Consent is what a user allowed a client.
type Consent struct {
	ClientID   string
	ClientName string
	Allowed    keystone.Allowed
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// allowedText is how what is allowed is kept: scopes as words, by audience.
func allowedText(a keystone.Allowed) (string, error) {
	by := make(map[string]string, len(a))
	for audience, scopes := range a {
		by[audience] = words(scopes)
	}
	text, err := json.Marshal(by)
	return string(text), err
}

// allowedOf is the reverse. nil is a consent that is not there.
func allowedOf(text *string) (keystone.Allowed, error) {
	var by map[string]string
	if text == nil {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(*text), &by); err != nil {
		return nil, err
	}
	a := make(keystone.Allowed, len(by))
	for audience, scopes := range by {
		a[audience] = unwords(scopes)
	}
	return a, nil
}

// ErrClientChanged answers a consent to a client that is not any more what was shown.
var ErrClientChanged = keystone.Fail(keystone.Stale, "The application has just changed what it says of itself.")

// unchanged holds the client's row as it is until the transaction ends, and reports whether
// it is what c was read from: c may come from the cache, and whoever registered the client
// changes it at any moment.
func (s *Store) unchanged(ctx context.Context, c keystone.Client) error {
	var now keystone.Client
	var created int64
	if _, err := s.row(ctx, `SELECT version, created_at FROM clients WHERE id = $1`+forShare, []any{c.ID}, &now.Version, &created); err != nil {
		return err
	}
	if now.CreatedAt = moment(created); now.Edition() != c.Edition() {
		s.cache.dropClient(c.ID) // the next page shows what it is now
		return ErrClientChanged
	}
	return nil
}

// AddConsent remembers that the user allowed the client these scopes for each of these
// audiences (see keystone.Client.Reach), besides what they allowed before. c is the client
// that they were shown: where it is another by now, they allowed nothing.
func (s *Store) AddConsent(ctx context.Context, by keystone.Actor, userID string, c keystone.Client, scopes, audiences []string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		if err := tx.unchanged(ctx, c); err != nil {
			return err
		}
		// The row is taken first: whoever takes the consent back at this moment either finds
		// what is allowed here, or has left nothing that it could be added to. The older
		// columns are read by the release before: to it, nothing was allowed.
		var text string
		if _, err := tx.row(ctx, `INSERT INTO consents (user_id, client_id, scopes, audiences, allowed, created_at, updated_at) VALUES ($1, $2, '', '', '{}', $3, $3)
			ON CONFLICT (user_id, client_id) DO UPDATE SET allowed = consents.allowed RETURNING allowed`, []any{userID, c.ID, micros(tx.now())}, &text); err != nil {
			return err
		}
		before, err := allowedOf(&text)
		if err != nil {
			return err
		}
		after := before.With(scopes, audiences)
		if text, err = allowedText(after); err != nil {
			return err
		}
		if _, err := tx.q.exec(ctx, `UPDATE consents SET allowed = $1, updated_at = $2 WHERE user_id = $3 AND client_id = $4`, text, micros(tx.now()), userID, c.ID); err != nil {
			return err
		}
		return tx.audit(ctx, by, keystone.AuditEvent{Action: keystone.ActConsentGiven, TargetKind: "client", TargetID: c.ID, TargetName: c.Name,
			Detail: map[string]any{"user_id": userID, "before": before, "after": after, "audiences": audiences}})
	})
	return s.fail("add consent", err)
}

const selectConsent = `SELECT c.client_id, k.name, c.allowed, c.created_at, c.updated_at FROM consents c JOIN clients k ON k.id = c.client_id WHERE c.user_id = $1 AND `

func scanConsent(scan func(...any) error) (c Consent, err error) {
	var allowed string
	var created, updated int64
	if err = scan(&c.ClientID, &c.ClientName, &allowed, &created, &updated); err != nil {
		return c, err
	}
	c.CreatedAt, c.UpdatedAt = moment(created), moment(updated)
	c.Allowed, err = allowedOf(&allowed)
	return c, err
}

// Consents lists what a user allowed, by client id.
func (s *Store) Consents(ctx context.Context, userID string, p keystone.Page) (keystone.List[Consent], error) {
	list, err := all(ctx, s, scanConsent, selectConsent+`c.client_id > $2 ORDER BY c.client_id LIMIT $3`, userID, p.After, p.Size()+1)
	return page(list, p.Size(), func(c Consent) string { return c.ClientID }), s.fail("list consents", err)
}

// Consent returns what a user allowed one client.
func (s *Store) Consent(ctx context.Context, userID, clientID string) (Consent, error) {
	list, err := all(ctx, s, scanConsent, selectConsent+`c.client_id = $2`, userID, clientID)
	if err != nil {
		return Consent{}, s.fail("read consent", err)
	}
	if len(list) == 0 {
		return Consent{}, notFound("connected app")
	}
	return list[0], nil
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

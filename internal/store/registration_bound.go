package store

import (
	"context"
	"encoding/json"

	"github.com/keystone-auth/keystone"
)

// What an administrator says of a client that registered itself goes over what it says of
// itself: every write of a client passes writeClient, which notes what was taken, and every
// change by the client's own word passes bound.

// bound is c, which a client's own word makes of before, with what an administrator gave it
// beyond the policy that it came in by, and without what they took. before is read first:
// what an administrator takes after this is a newer version, which is then not overwritten.
func (s *Store) bound(ctx context.Context, before, c keystone.Client) (keystone.Client, keystone.Taken, error) {
	var text, takes string
	if _, err := s.row(ctx, `SELECT policy, taken FROM registrations WHERE client_id = $1`, []any{before.ID}, &text, &takes); err != nil {
		return c, keystone.Taken{}, err
	}
	taken, err := takenOf(takes)
	if err != nil {
		return c, taken, err
	}
	var was keystone.RegistrationPolicy
	if err := json.Unmarshal([]byte(text), &was); err != nil {
		return c, taken, err
	}
	c, err = taken.Hold(before, was.Keep(before, c))
	return c, taken, err
}

// keepPolicy notes by which policy a client is what it is. It comes after the change of the
// client: whoever locks both rows locks the client's first.
func (s *Store) keepPolicy(ctx context.Context, clientID string, policy keystone.RegistrationPolicy) error {
	now, err := json.Marshal(policy)
	if err != nil {
		return err
	}
	_, err = s.q.exec(ctx, `UPDATE registrations SET policy = $1 WHERE client_id = $2 AND policy <> $1`, string(now), clientID)
	return err
}

// noteTaken writes what somebody else than the client took from it, or gave it again. A
// client that an administrator has looked at does not give way to others.
func (s *Store) noteTaken(ctx context.Context, before, after keystone.Client) error {
	var text string
	if _, err := s.row(ctx, `SELECT taken FROM registrations WHERE client_id = $1`, []any{before.ID}, &text); err != nil {
		return err
	}
	taken, err := takenOf(text)
	if err == nil {
		taken, err = taken.Note(before, after)
	}
	if err != nil {
		return err
	}
	now, err := takenText(taken)
	if err != nil || now == text {
		return err
	}
	_, err = s.q.exec(ctx, `UPDATE registrations SET taken = $1, used = TRUE WHERE client_id = $2`, now, before.ID)
	return err
}

// takenText is how what was taken is kept; nothing is empty.
func takenText(t keystone.Taken) (string, error) {
	if len(t.Values) == 0 && len(t.Held) == 0 {
		return "", nil
	}
	text, err := json.Marshal(t)
	return string(text), err
}

// takenOf is the reverse.
func takenOf(text string) (t keystone.Taken, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &t)
	}
	return t, err
}

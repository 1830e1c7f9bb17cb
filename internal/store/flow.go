package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

const flowColumns = `id, request, user_id, session_id, signed_in, chosen, decided_by, granted, denied, created_at, expires_at, answer`

func scanFlow(scan func(...any) error) (f keystone.Flow, err error) {
	var request, granted string
	var signedIn, created, expires int64
	err = scan(&f.ID, &request, &f.UserID, &f.SessionID, &signedIn, &f.Chosen, &f.DecidedBy, &granted, &f.Denied, &created, &expires, &f.Answer)
	if err != nil {
		return f, err
	}
	f.SignedIn, f.CreatedAt, f.ExpiresAt, f.Granted = moment(signedIn), moment(created), moment(expires), unwords(granted)
	return f, json.Unmarshal([]byte(request), &f.Request)
}

// MaxRequest is the most that is kept of one authorization request, in bytes: claims
// and authorization_details of the largest size fit.
const MaxRequest = 16 << 10

// ErrRequestSize refuses more.
var ErrRequestSize = keystone.Fail(keystone.Invalid, "The request is too large: at most 16 KiB of it can be kept.")

// storedRequest is the form in which requests that wait for somebody are kept.
func storedRequest(r keystone.AuthRequest) (string, error) {
	text, err := json.Marshal(r)
	if err == nil && len(text) > MaxRequest {
		err = ErrRequestSize
	}
	return string(text), err
}

// CreateFlow writes an authorization request in progress, bound to the browser
// whose cookie value is given.
func (s *Store) CreateFlow(ctx context.Context, browser string, f keystone.Flow) error {
	request, err := storedRequest(f.Request)
	if err != nil {
		return err
	}
	_, err = s.hot(ctx, &hotWrite{
		sql:  `INSERT INTO flows (` + flowColumns + `, browser) VALUES ($1, $2, $3, $4, 0, FALSE, '', '', FALSE, $5, $6, '', $7)`,
		args: []any{f.ID, request, f.UserID, f.SessionID, micros(f.CreatedAt), micros(f.ExpiresAt), secret.Hash(browser)},
	})
	return s.fail("create flow", err)
}

// Flow returns a flow that has not expired, to the browser that it is bound to.
// Another browser's is not found.
func (s *Store) Flow(ctx context.Context, browser, id string) (keystone.Flow, error) {
	if !keystone.IsID(id) {
		return keystone.Flow{}, notFound("sign-in")
	}
	list, err := all(ctx, s, scanFlow, `SELECT `+flowColumns+` FROM flows WHERE id = $1 AND browser = $2 AND expires_at + 0 > $3`, id, secret.Hash(browser), micros(s.now()))
	if err != nil {
		return keystone.Flow{}, s.fail("read flow", err)
	}
	if len(list) == 0 {
		return keystone.Flow{}, notFound("sign-in")
	}
	return list[0], nil
}

// BeginFlow is CreateFlow for a browser that carries so many living sessions. It returns
// the cookie value that the flow is bound to: a new one where the browser has none, or one
// whose sessions have all died.
func (s *Store) BeginFlow(ctx context.Context, browser string, sessions int, f keystone.Flow) (value string, err error) {
	if _, err := storedRequest(f.Request); err != nil {
		return browser, err
	}
	value = browser
	switch {
	case !secret.WellFormed(secret.Browser, browser):
		value = secret.New(secret.Browser)
	case sessions == 0:
		if value, err = s.BuryBrowser(ctx, browser); err != nil {
			return browser, err
		}
	}
	return value, s.CreateFlow(ctx, value, f)
}

// NewFlow is a flow that begins now.
func (s *Store) NewFlow(r keystone.AuthRequest) keystone.Flow {
	now := s.now()
	return keystone.Flow{ID: keystone.NewID(now), Request: r, CreatedAt: now, ExpiresAt: now.Add(FlowLife)}
}

// SaveFlow writes what a step has shown, where the browser still carries the flow and it
// was not answered: else it reports false, and another copy of the form was quicker.
func (s *Store) SaveFlow(ctx context.Context, browser string, f keystone.Flow) (bool, error) {
	hit, err := s.hot(ctx, &hotWrite{
		sql:  `UPDATE flows SET user_id = $1, session_id = $2, signed_in = $3, chosen = $4, decided_by = $5, granted = $6, denied = $7 WHERE id = $8 AND browser = $9 AND answer = ''`,
		args: []any{f.UserID, f.SessionID, micros(f.SignedIn), f.Chosen, f.DecidedBy, words(f.Granted), f.Denied, f.ID, secret.Hash(browser)},
	})
	return hit, s.fail("save flow", err)
}

// AgainWithin is how long a flow is kept after its answer, and a form that was sent twice
// taken for one: the browser shows what the second one brings.
const AgainWithin = 30 * time.Second

// AnswerFlow says what became of a flow, with what also writes in the same transaction:
// of two answers at the same time one gets true.
func (s *Store) AnswerFlow(ctx context.Context, id, answer string, also func(*Store) error) (answered bool, err error) {
	now := s.now()
	err = s.InTx(ctx, func(tx *Store) error {
		n, err := tx.q.exec(ctx, `UPDATE flows SET answer = $1, expires_at = $2 WHERE id = $3 AND answer = ''`, answer, micros(now.Add(AgainWithin)), id)
		if answered = n > 0; err != nil || !answered {
			return err
		}
		return also(tx)
	})
	return answered && err == nil, s.fail("answer flow", err)
}

// FlowCode is the authorization code that answers a flow. It is derived, so that it can be
// given again to a browser that lost it, and is not kept.
func (s *Store) FlowCode(id string) string {
	return secret.Derived(secret.AuthCode, s.twice.Sum([]byte("code"), []byte(id)))
}

// FlowLife is how long people may take to sign in.
const FlowLife = 30 * time.Minute

// Facts reads the state of the world that f.Next judges by. Where the flow names
// no account yet, it takes the browser's: the only one, or the one that the
// request means.
func (s *Store) Facts(ctx context.Context, browser string, f *keystone.Flow, c *keystone.Client) (keystone.Facts, error) {
	a := keystone.Facts{Now: s.now(), Trusted: c.FirstParty, Anew: c.AlwaysAsks(), Audiences: c.Reach(f.Request.Audiences)}
	sessions, err := s.browserSessions(ctx, browser, c.ID)
	if err != nil {
		return a, err
	}
	a.Accounts = len(sessions)
	for _, b := range sessions {
		named := f.SessionID == b.ID || f.SessionID == "" && (len(sessions) == 1 || f.Request.Subject == b.UserID)
		if named {
			f.SessionID, f.UserID = b.ID, b.UserID
			a.Session, a.AuthTime, a.ACR = &b.Session, b.AuthTime, keystone.ACRPassword
			a.Allowed = b.Allowed
			break
		}
	}
	if a.Session == nil {
		return a, nil
	}
	u, err := s.UserState(ctx, a.Session.UserID)
	if err != nil {
		return a, err
	}
	a.Offered = keystone.Intersect(keystone.Intersect(keystone.SortedSet(slices.Concat(f.Request.Scopes, f.Request.ClaimScopes)), c.Scopes), u.Scopes)
	return a, nil
}

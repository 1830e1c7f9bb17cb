package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
)

const grantColumns = `id, user_id, client_id, session_id, scopes, audiences, generation, rotated_at, created_at, expires_at, ends_at, revoked_at, reason, jkt, x5t, claims, details`

func scanGrant(scan func(...any) error) (g keystone.Grant, err error) {
	var scopes, audiences, claims, details string
	var generation, rotated, created, expires, ends, revoked int64
	err = scan(&g.ID, &g.UserID, &g.ClientID, &g.SessionID, &scopes, &audiences, &generation, &rotated, &created, &expires, &ends, &revoked, &g.Reason, &g.Bound.JKT, &g.Bound.X5T, &claims, &details)
	if err != nil {
		return g, err
	}
	g.Scopes, g.Generation = unwords(scopes), uint32(generation)
	g.Claims, g.SignIn = readClaims(claims)
	g.RotatedAt, g.CreatedAt, g.ExpiresAt, g.EndsAt, g.RevokedAt = moment(rotated), moment(created), moment(expires), moment(ends), moment(revoked)
	if g.Details, err = keystone.DetailsOf(details); err != nil {
		return g, err
	}
	g.Audiences, err = decodeList(audiences)
	return g, err
}

func insertGrant(g keystone.Grant) addition {
	return addition{`INSERT INTO grants (` + grantColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, '', $12, $13, $14, $15)`,
		[]any{g.ID, g.UserID, g.ClientID, g.SessionID, words(g.Scopes), encodeList(g.Audiences), int64(g.Generation),
			micros(g.RotatedAt), micros(g.CreatedAt), micros(g.ExpiresAt), micros(g.EndsAt), g.Bound.JKT, g.Bound.X5T, claimsText(g), g.Details.Text()}}
}

// claimsText is what a grant says of its person, as words in one column: claims of
// userinfo by their names, and after a name and = what its ID tokens repeat. Versions
// that know only the former find no such claim.
func claimsText(g keystone.Grant) string {
	list := slices.Clone(g.Claims)
	if !g.SignIn.At.IsZero() {
		list = append(list, "auth_time="+strconv.FormatInt(g.SignIn.At.Unix(), 10))
		if g.SignIn.ACR != "" {
			list = append(list, "acr="+g.SignIn.ACR)
		}
		for _, method := range g.SignIn.AMR {
			list = append(list, "amr="+method)
		}
		for _, claim := range g.SignIn.Claims {
			list = append(list, "id_token="+claim)
		}
	}
	return words(list)
}

func readClaims(text string) (claims []string, in keystone.SignIn) {
	for _, word := range unwords(text) {
		switch name, value, said := strings.Cut(word, "="); {
		case !said:
			claims = append(claims, word)
		case name == "auth_time":
			if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
				in.At = time.Unix(seconds, 0).UTC()
			}
		case name == "acr":
			in.ACR = value
		case name == "amr":
			in.AMR = append(in.AMR, value)
		case name == "id_token":
			in.Claims = append(in.Claims, value)
		}
	}
	return claims, in
}

// beginGrant is what redeeming adds to its transaction: the grant, where the
// session is still alive and, unless trusted, the user's consent still there.
// Whoever ends the one or takes back the other either waits for this transaction,
// and finds the grant, or has been.
func beginGrant(g keystone.Grant, trusted bool) *addition {
	a := insertGrant(g)
	a.sql = `INSERT INTO grants (` + grantColumns + `) SELECT $1, $2, $3, $4, $5, $6, CAST($7 AS BIGINT), CAST($8 AS BIGINT), CAST($9 AS BIGINT),
		CAST($10 AS BIGINT), CAST($11 AS BIGINT), 0, '', $12, $13, $14, $15
		WHERE EXISTS (SELECT 1 FROM sessions WHERE id = $4 AND ended_at = 0 AND expires_at + 0 > $9` + forShare + `)`
	if !trusted {
		a.sql += ` AND EXISTS (SELECT 1 FROM consents WHERE user_id = $2 AND client_id = $3` + forShare + `)`
	}
	return &a
}

// RefreshableUntil returns when the newest refresh token of a living grant is of no use
// any more unless it is used before: it expires, the family ends, or the pause is over
// that a session may make.
func (s *Store) RefreshableUntil(g keystone.Grant) time.Time {
	until := g.ExpiresAt
	if g.EndsAt.Before(until) {
		until = g.EndsAt
	}
	if pause := g.RotatedAt.Add(s.idle); s.idle != 0 && pause.Before(until) {
		until = pause
	}
	return until
}

// Grant returns a grant as it is now.
func (s *Store) Grant(ctx context.Context, id string) (keystone.Grant, error) {
	list, err := all(ctx, s.hotReads(), scanGrant, `SELECT `+grantColumns+` FROM grants WHERE id = $1`, id)
	if err != nil {
		return keystone.Grant{}, s.fail("read grant", err)
	}
	if len(list) == 0 {
		return keystone.Grant{}, notFound("grant")
	}
	return list[0], nil
}

// GrantFacts returns what never changes about a grant: whose it is, through
// which client and session, for which scopes and audiences, bound to which key.
// Its other fields may be a minute old and decide nothing.
func (s *Store) GrantFacts(ctx context.Context, id string) (keystone.Grant, error) {
	g, err := cached(ctx, s, s.cache.grants, id, func(ctx context.Context) (keystone.Grant, error) { return s.Grant(ctx, id) })
	return g, s.fail("read grant", err)
}

// GrantOfLate is Grant, at most a second old, for what strangers may ask as often as
// they like.
func (s *Store) GrantOfLate(ctx context.Context, id string) (keystone.Grant, error) {
	g, err := cached(ctx, s, s.cache.late, id, func(ctx context.Context) (keystone.Grant, error) { return s.Grant(ctx, id) })
	return g, s.fail("read grant", err)
}

// toldEvery is how many uses of a family's refresh tokens there are from one whose row says
// the generation to the next: the first is 1, which a family of a client whose tokens do
// not rotate stays at.
const toldEvery = 32

// Rotation are the limits under which a refresh token is used.
type Rotation struct {
	TTL    time.Duration // of the new refresh token
	Grace  time.Duration // how long the token before the newest still answers with the newest
	Rotate bool          // false: the token stays as it is (sender-constrained clients)

	Meanwhile func() // what the caller does while the database writes, at most once; nil: nothing
}

// errDeadGrant answers every refresh token that is not good, whatever the
// reason (RFC 6749 section 5.2).
var errDeadGrant = keystone.Fail(keystone.Invalid, "The refresh token is not valid any more. Sign in again.").WithCode("invalid_grant")

// Rotate uses the refresh token of the given generation and returns the
// generation of its successor. It is one conditional statement: of any number
// of simultaneous uses, on any nodes, one counts the generation up; the others
// find it counted, and inside the grace window get the same successor. An older
// generation is a token that was used before: the whole family is revoked (RFC
// 9700 section 4.14.2). Every other failure is invalid_grant and changes nothing.
func (s *Store) Rotate(ctx context.Context, by keystone.Actor, id string, presented uint32, r Rotation) (generation uint32, err error) {
	now := s.now()
	_, used := s.living()
	step := int64(1)
	if !r.Rotate {
		step = 0
	}
	w := &hotWrite{
		alike: true,
		lock:  lockGrant(id),
		sql: `UPDATE grants SET generation = generation + $1, rotated_at = $2,
			expires_at = CASE WHEN ends_at < $3 THEN ends_at ELSE $3 END
			WHERE id = $4 AND generation = $5 AND revoked_at = 0 AND expires_at > $2 AND ends_at + 0 > $2 AND rotated_at > $6`,
		args:      []any{step, micros(now), micros(now.Add(r.TTL)), id, int64(presented), used},
		meanwhile: r.Meanwhile,
	}
	e := keystone.AuditEvent{Action: keystone.ActTokenRefreshed, TargetKind: "grant", TargetID: id}
	if presented%toldEvery == 1 { // a row by which the trail knows whose family it is (ownerOfFamily)
		e.Detail = map[string]any{"presented_generation": presented}
	}
	w.trail = s.auditRow(by, e).args
	hit, err := s.hot(ctx, w)
	if err != nil {
		return 0, s.fail("rotate refresh token", err)
	}
	if hit {
		return presented + uint32(step), nil
	}
	return s.whyNotRotated(ctx, by, id, presented, r, now)
}

func (s *Store) whyNotRotated(ctx context.Context, by keystone.Actor, id string, presented uint32, r Rotation, now time.Time) (uint32, error) {
	g, err := s.Grant(ctx, id)
	if keystone.KindOf(err) == keystone.NotFound {
		keystone.Fact(ctx, "why", "there is no such family any more")
		return 0, errDeadGrant
	}
	if err != nil {
		return 0, err
	}
	switch {
	case !g.RevokedAt.IsZero():
		keystone.Fact(ctx, "why", "the family was revoked: "+g.Reason)
		return 0, errDeadGrant
	case !now.Before(g.EndsAt):
		keystone.Fact(ctx, "why", "the family has reached its end, which is that of the session at the latest")
		return 0, errDeadGrant
	case presented == g.Generation:
		keystone.Fact(ctx, "why", "it has expired, or was not used for longer than a session may pause")
		return 0, errDeadGrant
	case presented > g.Generation: // of a database that came after this one's backup
		keystone.Fact(ctx, "why", "it is newer than what the database knows of its family")
		return 0, errDeadGrant
	case presented+1 == g.Generation && r.Grace > 0 && now.Sub(g.RotatedAt) <= r.Grace && now.Before(g.ExpiresAt):
		// New access tokens come of it, though the family stays as it is.
		return g.Generation, s.Record(ctx, by, keystone.AuditEvent{Action: keystone.ActTokenRefreshed, TargetKind: "grant", TargetID: id,
			Detail: map[string]any{"grace": true, "presented_generation": presented}})
	}
	err = s.endGrant(ctx, by, g, keystone.EndReuse, keystone.AuditEvent{
		Action: keystone.ActTokenReuse, TargetKind: "grant", TargetID: id,
		Detail: map[string]any{"presented_generation": presented, "generation": g.Generation, "user_id": g.UserID},
	})
	if err != nil {
		return 0, err
	}
	keystone.Fact(ctx, "why", "it was used before and came again: the whole family is revoked ("+keystone.EndReuse+")")
	return 0, errDeadGrant
}

// RevokeGrant ends a refresh token family with its access tokens (RFC 7009
// section 2.1). Ending one that has ended already does nothing.
func (s *Store) RevokeGrant(ctx context.Context, by keystone.Actor, id, reason string) error {
	g, err := s.GrantFacts(ctx, id)
	if keystone.KindOf(err) == keystone.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	action := keystone.ActTokenRevoked
	if reason == keystone.EndCodeReuse {
		action = keystone.ActCodeReuse
	}
	return s.endGrant(ctx, by, g, reason, keystone.AuditEvent{
		Action: action, TargetKind: "grant", TargetID: id, Detail: map[string]any{"reason": reason, "user_id": g.UserID}})
}

// endGrant needs of g what never changes.
func (s *Store) endGrant(ctx context.Context, by keystone.Actor, g keystone.Grant, reason string, event keystone.AuditEvent) error {
	c, err := s.CachedClient(ctx, g.ClientID)
	if err != nil && keystone.KindOf(err) != keystone.NotFound {
		return s.fail("revoke grant", err)
	}
	now := s.now()
	w := &hotWrite{
		lock: lockGrant(g.ID),
		sql:  `UPDATE grants SET revoked_at = $1, reason = $2 WHERE id = $3 AND revoked_at = 0`,
		args: []any{micros(now), reason, g.ID},
	}
	w.then = func(hit bool) []addition {
		if !hit {
			return nil
		}
		// A session of the JSON sign-in API belongs to one client and ends with its
		// refresh token; a browser's session has no client and goes on.
		return append(endOwnSession(c, g, now, reason), s.auditRow(by, event))
	}
	_, err = s.hot(ctx, w)
	s.dropGrants([]string{g.ID})
	return s.fail("revoke grant", err)
}

// revokeGrants ends every family where column (a constant) is id.
func (s *Store) revokeGrants(ctx context.Context, column, id, reason string) error {
	ids, err := s.texts(ctx, `UPDATE grants SET revoked_at = $1, reason = $2 WHERE `+column+` = $3 AND revoked_at = 0 RETURNING id`, micros(s.now()), reason, id)
	s.dropGrants(ids)
	return err
}

func (s *Store) dropGrants(ids []string) {
	if len(ids) == 0 {
		return
	}
	s.afterCommit(func() {
		for _, id := range ids {
			s.cache.dropGrant(id)
		}
	})
}

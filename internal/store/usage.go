package store

import (
	"context"
	"math"
	"time"

	"github.com/keystone-auth/keystone"
)

// Usage counts tokens that one client got by one grant type.
type Usage struct {
	ClientID  string
	GrantType string
	Tokens    int64
	LastAt    time.Time
}

// AddUsage adds counts to the present hour, in one transaction. Stateless tokens
// leave no row when they are issued; this is their trace. A crash may lose what
// was counted in the last second.
func (s *Store) AddUsage(ctx context.Context, list []Usage) error {
	err := s.InTx(ctx, func(tx *Store) error {
		for _, u := range list {
			_, err := tx.q.exec(ctx, `INSERT INTO usage (client_id, grant_type, hour, tokens, last_at) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (client_id, grant_type, hour) DO UPDATE SET tokens = usage.tokens + excluded.tokens, last_at = excluded.last_at`,
				u.ClientID, u.GrantType, u.LastAt.Truncate(time.Hour).Unix(), u.Tokens, micros(u.LastAt))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return s.fail("add usage", err)
}

// Stats are counts for the overview.
type Stats struct {
	Users, EnabledUsers, Clients, Roles, Sessions int64
	SignInsToday, FailedSignInsToday              int64
	TokensToday                                   int64
	Usage                                         []Usage // of the last 24 hours, most first, at most 50
}

// Stats counts. Sessions and users are counted, not estimated: the page is for
// administrators and rate-limited as such.
func (s *Store) Stats(ctx context.Context) (st Stats, err error) {
	now := s.now()
	day := now.Add(-24 * time.Hour)
	for _, c := range []struct {
		to  *int64
		sql string
		arg any
	}{
		{&st.Users, `SELECT COUNT(*) FROM users WHERE created_at <= $1`, micros(now)},
		{&st.EnabledUsers, `SELECT COUNT(*) FROM users WHERE enabled AND created_at <= $1`, micros(now)},
		{&st.Clients, `SELECT COUNT(*) FROM clients WHERE created_at <= $1`, micros(now)},
		{&st.Roles, `SELECT COUNT(*) FROM roles WHERE created_at <= $1`, micros(now)},
		{&st.TokensToday, `SELECT CAST(COALESCE(SUM(tokens), 0) AS BIGINT) FROM usage WHERE hour >= $1`, day.Truncate(time.Hour).Unix()},
	} {
		if _, err := s.row(ctx, c.sql, []any{c.arg}, c.to); err != nil {
			return st, s.fail("stats", err)
		}
	}
	at, used := s.living()
	if _, err := s.row(ctx, `SELECT COUNT(*) FROM sessions s WHERE `+livingSession, []any{at, used}, &st.Sessions); err != nil {
		return st, s.fail("stats", err)
	}
	end, err := s.auditEnd(ctx, math.MaxInt64)
	if err != nil {
		return st, s.fail("stats", err)
	}
	first, found, err := s.firstAudit(ctx, day, end)
	for action, to := range map[string]*int64{keystone.ActSignInSucceeded: &st.SignInsToday, keystone.ActSignInFailed: &st.FailedSignInsToday} {
		if err == nil && found {
			_, err = s.row(ctx, `SELECT COUNT(*) FROM audit WHERE action = $1 AND seq >= $2 AND at >= $3`, []any{action, first, micros(day)}, to)
		}
	}
	if err != nil {
		return st, s.fail("stats", err)
	}
	st.Usage, err = all(ctx, s, func(scan func(...any) error) (u Usage, err error) {
		var last int64
		err = scan(&u.ClientID, &u.GrantType, &u.Tokens, &last)
		u.LastAt = moment(last)
		return u, err
	}, `SELECT client_id, grant_type, CAST(SUM(tokens) AS BIGINT) AS n, MAX(last_at) FROM usage WHERE hour >= $1 GROUP BY client_id, grant_type ORDER BY n DESC, client_id LIMIT 50`,
		day.Truncate(time.Hour).Unix())
	return st, s.fail("stats", err)
}

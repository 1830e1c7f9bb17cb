package store_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestAlike: writes that are alike, of several nodes, on the same rows, in one
// statement or many, come out as if each had been alone: every generation is
// handed out once, a repeated write is none, whoever wrote has an audit row and
// nobody else, and nobody waits in a circle.
func TestAlike(t *testing.T) {
	eachNodes(t, 3, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		u := newUser(t, nodes[0], "jane")
		families := make([]keystone.Grant, 4)
		for i := range families {
			families[i] = signIn(t, nodes[0], u)
		}
		const callers = 48
		patient := rotation
		patient.Grace = time.Hour // a late caller gets what the first got, and ends nothing
		wins := make([]int, len(families))
		for round := range uint32(5) {
			results := make([]uint32, callers)
			for _, err := range together(callers, func(i int) error {
				s, g := nodes[i%2], families[i%len(families)]
				var err error
				switch {
				case i%7 == 0: // one that is like no other, in the same group
					return s.BareHot(ctx, "no such grant")
				case i%11 == 0:
					return s.Record(ctx, operator, keystone.AuditEvent{Action: "x", TargetID: g.ID})
				}
				results[i], err = s.Rotate(ctx, operator, g.ID, round+1, patient)
				return err
			}) {
				ok(t, err)
			}
			for i, next := range results {
				if next != 0 && next != round+2 {
					t.Errorf("round %d: generation %d", round, next)
				}
				if next != 0 {
					wins[i%len(families)]++
				}
			}
			clock.Move(time.Second)
		}
		for i, g := range families {
			events := must[[]string](t)(nodes[0].RawTexts(ctx, `SELECT id FROM audit WHERE action = 'token.refreshed' AND target_id = $1`, g.ID))
			grace := must[[]string](t)(nodes[0].RawTexts(ctx, `SELECT id FROM audit WHERE action = 'token.refreshed' AND target_id = $1 AND detail LIKE '{"grace":true,%'`, g.ID))
			if len(events) != wins[i] || wins[i] <= 5 || len(events)-len(grace) != 5 {
				t.Errorf("%d uses in the trail, %d of them inside the grace window, %d answers", len(events), len(grace), wins[i])
			}
			if got := must[keystone.Grant](t)(nodes[0].Grant(ctx, g.ID)); got.Generation != 6 || !got.RevokedAt.IsZero() {
				t.Errorf("%+v", got)
			}
		}

		for _, err := range together(callers, func(i int) error { // each token by several at once
			return nodes[i%2].RevokeAccessToken(ctx, operator, fmt.Sprint("jti", (i*5)%12), families[0].ClientID, clock.Now().Add(time.Hour))
		}) {
			ok(t, err)
		}
		once := must[[]string](t)(nodes[0].RawTexts(ctx, `SELECT detail FROM audit WHERE action = 'token.revoked'`))
		if n := len(once); n != 12 || len(slices.Compact(slices.Sorted(slices.Values(once)))) != 12 {
			t.Errorf("12 tokens were revoked %d times: %q", n, once)
		}
		for _, err := range together(callers, func(i int) error {
			return nodes[i%2].SaveAccessToken(ctx, operator, fmt.Appendf(nil, "hash %d", i), store.AccessToken{JTI: fmt.Sprint("\x00\xff", i), Scopes: []string{"a", "b"}})
		}) {
			ok(t, err)
		}
		for i := range callers {
			saved, err := nodes[0].AccessTokenByHash(ctx, fmt.Appendf(nil, "hash %d", i))
			if err != nil || saved.JTI != fmt.Sprint("\uFFFD\uFFFD", i) || !slices.Equal(saved.Scopes, []string{"a", "b"}) {
				t.Fatalf("%+v, %v", saved, err)
			}
		}
		if nodes[0].OnPostgres() {
			nodes[0].Close() // its connections report when they end
			nodes[1].Close()
			if n := must[[]string](t)(nodes[2].RawTexts(ctx, `SELECT CAST(deadlocks AS TEXT) FROM pg_stat_database WHERE datname = current_database()`)); n[0] != "0" {
				t.Errorf("%s deadlocks", n[0])
			}
		}
	})
}

// TestOneOfTheAlikeFails: where one of them breaks a rule, it fails alone and
// has no audit row.
func TestOneOfTheAlikeFails(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		save := func(hash string) error {
			return s.SaveAccessToken(ctx, operator, []byte(hash), store.AccessToken{JTI: hash, ExpiresAt: clock.Now().Add(time.Hour)})
		}
		ok(t, save("taken"))
		for i, err := range together(64, func(i int) error {
			if i%8 == 0 {
				return save("taken")
			}
			return save(fmt.Sprint("free", i))
		}) {
			if i%8 == 0 {
				wantKind(t, err, keystone.Conflict)
			} else {
				ok(t, err)
			}
		}
		if rows := must[[]string](t)(s.RawTexts(ctx, `SELECT id FROM audit WHERE action = 'token.issued'`)); len(rows) != 1+56 {
			t.Errorf("%d audit rows of 57 tokens", len(rows))
		}
	})
}

// TestWideTexts: what PostgreSQL is sent for writes that are alike, from the one
// text that both databases share.
func TestWideTexts(t *testing.T) {
	for single, want := range map[string]string{
		`UPDATE t SET n = n + $1 WHERE id = $2 AND n = $1`: `WITH u AS (SELECT unnest($1::bigint[]) AS c1, unnest($2::text[]) AS c2, unnest($3::text[]) AS a1, unnest($4::bigint[]) AS a2), ` +
			`hit AS (UPDATE t SET n = n + u.c1 FROM u WHERE id = u.c2 AND n = u.c1 RETURNING a1, a2) INSERT AUDIT SELECT a1, a2 FROM hit RETURNING id`,
		`INSERT INTO t (n, id) VALUES ($1, $2)`: `WITH u AS (SELECT unnest($1::bigint[]) AS c1, unnest($2::text[]) AS c2, unnest($3::text[]) AS a1, unnest($4::bigint[]) AS a2), ` +
			`hit AS (INSERT INTO t (n, id) SELECT u.c1, u.c2 FROM u) INSERT AUDIT SELECT a1, a2 FROM u`,
		`INSERT INTO t (n, id) VALUES ($1, $2) ON CONFLICT (n) DO NOTHING`: `WITH u AS (SELECT unnest($1::bigint[]) AS c1, unnest($2::text[]) AS c2, unnest($3::text[]) AS a1, unnest($4::bigint[]) AS a2), ` +
			`hit AS (INSERT INTO t (n, id) SELECT u.c1, u.c2 FROM u ON CONFLICT (n) DO NOTHING RETURNING n AS k) INSERT AUDIT SELECT a1, a2 FROM u JOIN hit ON hit.k = u.c1 RETURNING id`,
	} {
		if got := store.WideText(single, []any{int64(1), "x"}, []any{"id", int64(2)}, ""); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", single, got, want)
		}
	}
	want := `WITH u AS (SELECT unnest($1::bigint[]) AS c1, unnest($2::text[]) AS c2, unnest($3::bigint[]) AS b1, unnest($4::text[]) AS b2, unnest($5::text[]) AS a1), ` +
		`hit AS (UPDATE t SET n = u.c1 FROM u WHERE id = u.c2 RETURNING b1, b2, a1), ` +
		`more AS (INSERT INTO m (n, id) SELECT hit.b1, hit.b2 FROM hit WHERE EXISTS (SELECT 1 FROM s WHERE id = hit.b2) RETURNING n AS k) ` +
		`INSERT AUDIT SELECT a1 FROM hit JOIN more ON more.k = hit.b1 RETURNING id`
	if got := store.WideText(`UPDATE t SET n = $1 WHERE id = $2`, []any{int64(1), "x"}, []any{"id"},
		`INSERT INTO m (n, id) SELECT $1, $2 WHERE EXISTS (SELECT 1 FROM s WHERE id = $2)`); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestManyCodesAtOnce: of codes that are redeemed together, each by several at
// once on two nodes, each begins one grant with one line in the trail; one whose
// session has ended, or whose consent is gone, begins none.
func TestManyCodesAtOnce(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		s, now := nodes[0], clock.Now()
		app := must2(t)(s.CreateClient(ctx, operator, keystone.Client{Name: "App", Kind: keystone.ClientWeb, Enabled: true, RedirectURIs: []string{"https://app.example/cb"}, Scopes: []string{"openid"}}))
		values, grants := make([]string, 12), make([]keystone.Grant, 12)
		for i := range values {
			u := newUser(t, s, fmt.Sprint("u", i))
			ses := signIn(t, s, u).SessionID
			grants[i] = keystone.Grant{ID: keystone.NewID(now), UserID: u.ID, ClientID: app.ID, SessionID: ses, Scopes: []string{"openid"}, Generation: 1,
				RotatedAt: now, CreatedAt: now, ExpiresAt: now.Add(time.Hour), EndsAt: now.Add(time.Hour)}
			values[i] = secret.New(secret.AuthCode)
			ok(t, s.AddCode(ctx, values[i], store.Code{GrantID: grants[i].ID, UserID: u.ID, SessionID: ses}, now.Add(time.Minute), now.Add(-time.Hour*time.Duration(i%2))))
			if i%4 != 2 {
				ok(t, s.AddConsent(ctx, operator, u.ID, app, []string{"openid"}, []string{""}))
			}
			if i%4 == 3 {
				ok(t, s.EndSession(ctx, operator, ses, "", keystone.EndLogout))
			}
		}
		wins := make([]atomic.Int32, len(values))
		for _, err := range together(4*len(values), func(n int) error {
			i := n % len(values)
			won, err := nodes[n%2].RedeemCode(ctx, operator, values[i], grants[i], false, nil)
			if won {
				wins[i].Add(1)
			}
			return err
		}) {
			ok(t, err)
		}
		for i, g := range grants {
			want := int32(1)
			if i%4 >= 2 {
				want = 0
			}
			rows := must[[]string](t)(s.RawTexts(ctx, `SELECT id FROM grants WHERE id = $1`, g.ID))
			trail := must[[]string](t)(s.RawTexts(ctx, `SELECT id FROM audit WHERE action = 'code.redeemed' AND target_id = $1`, g.ID))
			if wins[i].Load() != want || len(rows) != int(want) || len(trail) != int(want) {
				t.Errorf("code %d: %d wins, %d grants, %d audit rows, want %d", i, wins[i].Load(), len(rows), len(trail), want)
			}
			if _, used, err := s.ReadCode(ctx, values[i]); err != nil || !used {
				t.Errorf("code %d: used %v, %v", i, used, err)
			}
		}
	})
}

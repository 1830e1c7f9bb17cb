package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// rotated is what one use of a refresh token answered.
type rotated struct {
	generation uint32
	err        error
}

func rotate(s *store.Store, g keystone.Grant, generation uint32, r store.Rotation) rotated {
	next, err := s.Rotate(ctx, keystone.Actor{Kind: keystone.ActorUser, ID: g.UserID}, g.ID, generation, r)
	return rotated{next, err}
}

// dead is the answer to a refresh token that is not good (RFC 6749 section 5.2).
func dead(t testing.TB, r rotated) {
	t.Helper()
	wantKind(t, r.err, keystone.Invalid)
	if e, _ := r.err.(*keystone.Error); e.Code != "invalid_grant" || r.generation != 0 { //nolint:errorlint // what callers see
		t.Fatalf("got %d, %v", r.generation, r.err)
	}
}

func good(t testing.TB, r rotated, want uint32) {
	t.Helper()
	if r.err != nil || r.generation != want {
		t.Fatalf("got %d, %v; want %d", r.generation, r.err, want)
	}
}

// TestRotate is the life of one family, step by step. SECURITY.md D2, D3, D8.
func TestRotate(t *testing.T) {
	type step struct {
		after   time.Duration
		present uint32
		want    uint32 // 0: invalid_grant
		alive   bool   // whether the family goes on
	}
	quick := rotation
	noGrace := rotation
	noGrace.Grace = 0
	still := rotation
	still.Rotate = false
	lives := []struct {
		name  string
		limit store.Rotation
		steps []step
	}{
		{"one after another", quick, []step{{0, 1, 2, true}, {time.Hour, 2, 3, true}, {time.Hour, 3, 4, true}}},
		{"predecessor inside the window", quick, []step{{0, 1, 2, true}, {5 * time.Second, 1, 2, true}, {5 * time.Second, 1, 2, true}, {0, 2, 3, true}}},
		{"predecessor after the window: reuse", quick, []step{{0, 1, 2, true}, {10*time.Second + time.Microsecond, 1, 0, false}, {0, 2, 0, false}}},
		{"grandparent inside the window: reuse", quick, []step{{0, 1, 2, true}, {time.Second, 2, 3, true}, {time.Second, 1, 0, false}, {0, 3, 0, false}}},
		{"the window does not slide", quick, []step{{0, 1, 2, true}, {6 * time.Second, 1, 2, true}, {6 * time.Second, 1, 0, false}}},
		{"no window: every repeat is reuse", noGrace, []step{{0, 1, 2, true}, {0, 1, 0, false}, {0, 2, 0, false}}},
		{"a generation that is not yet", quick, []step{{0, 2, 0, true}, {0, 7, 0, true}, {0, 1, 2, true}}},
		{"idle too long", quick, []step{{12 * time.Hour, 1, 0, true}, {0, 1, 0, true}}},
		{"just not idle too long", quick, []step{{12*time.Hour - time.Microsecond, 1, 2, true}}},
		{"use keeps it from idling", quick, []step{{11 * time.Hour, 1, 2, true}, {11 * time.Hour, 2, 3, true}, {11 * time.Hour, 3, 4, true}}},
		{"absolute end, however often used", quick, []step{{11 * time.Hour, 1, 2, true}, {11 * time.Hour, 2, 3, true}, {11 * time.Hour, 3, 4, true}, {11 * time.Hour, 4, 5, true},
			{4*time.Hour - time.Microsecond, 5, 6, true}, {time.Microsecond, 6, 0, true}, {0, 5, 0, true}}},
		{"expired without use", store.Rotation{TTL: time.Hour, Grace: 10 * time.Second, Rotate: true},
			[]step{{time.Hour, 1, 2, true}, {time.Hour, 2, 0, true}}},
		{"not rotating", still, []step{{0, 1, 1, true}, {time.Hour, 1, 1, true}, {0, 2, 0, true}, {11 * time.Hour, 1, 1, true}, {12 * time.Hour, 1, 0, true}}},
	}
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		s.SetIdle(12 * time.Hour)
		for _, test := range lives {
			t.Run(test.name, func(t *testing.T) {
				g := signIn(t, s, u)
				for i, st := range test.steps {
					clock.Move(st.after)
					before := must[keystone.Grant](t)(s.Grant(ctx, g.ID))
					got := rotate(s, g, st.present, test.limit)
					if st.want == 0 {
						dead(t, got)
					} else {
						good(t, got, st.want)
					}
					after := must[keystone.Grant](t)(s.Grant(ctx, g.ID))
					if after.RevokedAt.IsZero() != st.alive {
						t.Fatalf("step %d: alive %v", i+1, after.RevokedAt.IsZero())
					}
					if st.want == 0 && st.alive && !cmp.Equal(before, after) {
						t.Fatalf("step %d: a refusal changed the family: %s", i+1, cmp.Diff(before, after))
					}
					if after.ExpiresAt.After(after.EndsAt) || !after.EndsAt.Equal(g.EndsAt) {
						t.Fatalf("step %d: %+v outlives its end", i+1, after)
					}
				}
			})
		}
	})
}

// TestReuseEndsTheSession: the family, its session and its access tokens end
// together; the user's other sessions go on. The trail says why.
func TestReuseEndsTheSession(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		g, other := signIn(t, s, u), signIn(t, s, u)
		good(t, rotate(s, g, 1, rotation), 2)
		good(t, rotate(s, g, 2, rotation), 3)
		ref := store.TokenRef{JTI: "j", UserID: u.ID, ClientID: g.ClientID, GrantID: g.ID}
		if st := must[store.TokenState](t)(s.TokenState(ctx, ref)); !st.Active {
			t.Fatal("not active before")
		}
		dead(t, rotate(s, g, 1, rotation))
		if st := must[store.TokenState](t)(s.TokenState(ctx, ref)); st.Active {
			t.Fatal("the access token outlives its family on this node")
		}
		ses := must[keystone.Session](t)(s.Session(ctx, g.SessionID))
		if ses.EndReason != keystone.EndReuse || ses.Alive(clock.Now()) || !alive(t, s, other) {
			t.Fatalf("%+v", ses)
		}
		events := trail(t, s)
		last := events[len(events)-1]
		if last.Action != keystone.ActTokenReuse || last.TargetID != g.ID || last.Detail["user_id"] != u.ID || last.Detail["presented_generation"] != 1.0 || last.Detail["generation"] != 3.0 {
			t.Fatalf("%+v", last)
		}
		dead(t, rotate(s, g, 1, rotation))
		dead(t, rotate(s, g, 3, rotation))
		if n := len(trail(t, s)); n != len(events) {
			t.Fatal("a dead family writes on")
		}
	})
}

// TestRotateOnce is SECURITY.md D1 and X16: of 64 uses of one token at once on
// two nodes, all get the same successor, and the family counts up by one.
func TestRotateOnce(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		g := signIn(t, nodes[0], newUser(t, nodes[0], "jane"))
		for generation := uint32(1); generation <= 5; generation++ {
			for _, r := range together(64, func(i int) rotated { return rotate(nodes[i%2], g, generation, rotation) }) {
				good(t, r, generation+1)
			}
			if got := must[keystone.Grant](t)(nodes[1].Grant(ctx, g.ID)); got.Generation != generation+1 || !got.RevokedAt.IsZero() {
				t.Fatalf("%+v", got)
			}
		}
		all := must[[]string](t)(nodes[0].RawTexts(ctx, `SELECT detail FROM audit WHERE action = 'token.refreshed'`))
		rotations := slices.DeleteFunc(slices.Clone(all), func(detail string) bool { return strings.HasPrefix(detail, `{"grace":true,"presented_generation":`) })
		if len(all) != 5*64 || len(rotations) != 5 {
			t.Fatalf("%d uses in the trail, %d of them rotations", len(all), len(rotations))
		}

		// Without a window one wins, and the others end the family.
		strict := rotation
		strict.Grace = 0
		won := 0
		for _, r := range together(64, func(i int) rotated { return rotate(nodes[i%2], g, 6, strict) }) {
			if r.err == nil {
				good(t, r, 7)
				won++
			} else {
				dead(t, r)
			}
		}
		if won != 1 || alive(t, nodes[0], g) {
			t.Fatalf("%d of 64 won", won)
		}
	})
}

// TestManyFamilies: chains of different people at once on two nodes, whose
// statements share transactions, never disturb each other.
func TestManyFamilies(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		u := newUser(t, nodes[0], "jane")
		login := must[store.Login](t)(nodes[0].LoginByName(ctx, "jane"))
		errs := together(32, func(i int) error {
			g := newFamily(nodes[0], u.ID)
			if started, err := start(nodes[i%2], g, login); err != nil || !started {
				return fmt.Errorf("start: %v, %w", started, err)
			}
			for generation := uint32(1); generation <= 8; generation++ {
				if r := rotate(nodes[(i+int(generation))%2], g, generation, rotation); r.err != nil || r.generation != generation+1 {
					return fmt.Errorf("generation %d: %+v", generation, r)
				}
			}
			return nil
		})
		for _, err := range errs {
			ok(t, err)
		}
	})
}

// TestRotateAgainstRevoke: a refresh that meets the end of its session leaves no
// living family, and no successor that works afterwards.
func TestRotateAgainstRevoke(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, _ *storetest.Clock) {
		u := newUser(t, nodes[0], "jane")
		for i := range 10 {
			g := signIn(t, nodes[0], u)
			answers := together(8, func(i int) rotated {
				if i == 0 {
					return rotated{err: nodes[0].EndSession(ctx, operator, g.SessionID, u.ID, keystone.EndLogout)}
				}
				return rotate(nodes[i%2], g, 1, rotation)
			})
			ok(t, answers[0].err)
			if alive(t, nodes[1], g) {
				t.Fatalf("round %d: the family lives", i)
			}
			dead(t, rotate(nodes[1], g, 2, rotation))
		}
	})
}

func TestRevokeGrant(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		g := signIn(t, s, u)
		browser := newFamily(s, u.ID) // a family of another client than its session's
		if _, err := s.Raw(ctx, `INSERT INTO grants SELECT CAST($2 AS TEXT), user_id, 'other', session_id, scopes, audiences, generation, rotated_at, created_at, expires_at, ends_at, revoked_at, reason, jkt, x5t, claims, details FROM grants WHERE id = $1`, g.ID, browser.ID); err != nil {
			t.Fatal(err)
		}
		ok(t, s.RevokeGrant(ctx, operator, browser.ID, keystone.EndTokenRevoked))
		if ses := must[keystone.Session](t)(s.Session(ctx, g.SessionID)); !ses.Alive(clock.Now()) || !alive(t, s, g) {
			t.Fatal("a session ends with another client's refresh token")
		}
		n := len(trail(t, s))
		ok(t, s.RevokeGrant(ctx, operator, g.ID, keystone.EndTokenRevoked))
		if ses := must[keystone.Session](t)(s.Session(ctx, g.SessionID)); ses.EndReason != keystone.EndTokenRevoked || alive(t, s, g) {
			t.Fatalf("%+v", ses)
		}
		ok(t, s.RevokeGrant(ctx, operator, g.ID, keystone.EndTokenRevoked))
		ok(t, s.RevokeGrant(ctx, operator, keystone.NewID(clock.Now()), keystone.EndTokenRevoked))
		if got := len(trail(t, s)); got != n+1 {
			t.Fatalf("%d rows for one revocation", got-n)
		}
		dead(t, rotate(s, g, 1, rotation))
		dead(t, rotate(s, keystone.Grant{ID: keystone.NewID(clock.Now())}, 1, rotation))
		_, err := s.Grant(ctx, "nothing")
		wantKind(t, err, keystone.NotFound)
	})
}

func TestGrantFacts(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		g := newFamily(s, u.ID)
		g.Scopes, g.Audiences = []string{"a", "b"}, []string{"x", "y"}
		g.Claims, g.SignIn = []string{"email", "name"}, keystone.SignIn{At: clock.Now().Truncate(time.Second), ACR: keystone.ACRPassword, AMR: []string{keystone.AMRPassword, "otp"}, Claims: []string{"email"}}
		_, err := start(s, g, must[store.Login](t)(s.LoginByID(ctx, u.ID)))
		ok(t, err)
		for range 2 {
			got := must[keystone.Grant](t)(s.GrantFacts(ctx, g.ID))
			if got.UserID != u.ID || got.SessionID != g.SessionID || !slices.Equal(got.Scopes, g.Scopes) || !slices.Equal(got.Audiences, g.Audiences) {
				t.Fatalf("%+v", got)
			}
			if !slices.Equal(got.Claims, g.Claims) || !cmp.Equal(got.SignIn, g.SignIn) {
				t.Fatalf("%+v", got)
			}
		}
		_, err = s.GrantFacts(ctx, keystone.NewID(clock.Now()))
		wantKind(t, err, keystone.NotFound)
	})
}

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

func TestStartSession(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane", "user")
		login := must[store.Login](t)(s.LoginByName(ctx, "jane"))
		clock.Move(time.Minute)
		g := newFamily(s, u.ID)
		g.Scopes, g.Audiences = []string{"a", "b"}, []string{"https://api.example.com"}
		_, err := s.CountAttempt(ctx, store.AttemptKey{Key: "account:jane", Free: 5}, store.AttemptKey{Key: "other", Free: 5})
		ok(t, err)
		started, err := start(s, g, login, "account:jane")
		if !started || err != nil {
			t.Fatal(started, err)
		}
		want := keystone.Session{ID: g.SessionID, UserID: u.ID, Username: "jane", ClientID: keystone.FirstPartyClientID, Source: "192.0.2.1", UserAgent: "test",
			AMR: []string{"pwd"}, CreatedAt: clock.Now(), LastSeen: clock.Now(), ExpiresAt: g.EndsAt}
		if diff := cmp.Diff(want, must[keystone.Session](t)(s.Session(ctx, g.SessionID))); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(g, must[keystone.Grant](t)(s.Grant(ctx, g.ID))); diff != "" {
			t.Fatal(diff)
		}
		if got := must[keystone.User](t)(s.User(ctx, u.ID)); !got.LastLogin.Equal(clock.Now()) || got.Version != u.Version {
			t.Fatalf("a sign-in moves last_login and nothing else: %+v", got)
		}
		left := must[[]string](t)(s.RawTexts(ctx, `SELECT key FROM attempts`))
		if !slices.Equal(left, []string{"other"}) {
			t.Fatalf("a sign-in clears its own counters, left %q", left)
		}
		clock.Move(time.Minute)
		_, err = s.Rotate(ctx, operator, g.ID, 1, rotation)
		ok(t, err)
		if got := must[keystone.Session](t)(s.Session(ctx, g.SessionID)); !got.LastSeen.Equal(clock.Now()) {
			t.Fatalf("a refresh is not seen: %v", got.LastSeen)
		}
	})
}

// TestStartSessionRefuses: between the check of the password and the session,
// the account may have changed; then nothing is written.
func TestStartSessionRefuses(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		for name, change := range map[string]func(u keystone.User){
			"disabled": func(u keystone.User) {
				_, err := s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Enabled: ptr(false)})
				ok(t, err)
			},
			"deleted":          func(u keystone.User) { ok(t, s.DeleteUser(ctx, operator, u.ID, 0)) },
			"another password": func(u keystone.User) { ok(t, s.SetPassword(ctx, operator, u.ID, "new", "")) },
			"the same hash set again": func(u keystone.User) {
				ok(t, s.SetPassword(ctx, operator, u.ID, "hash-of-"+u.Username, ""))
			},
		} {
			u := newUser(t, s, strings.ReplaceAll(name, " ", "."))
			login := must[store.Login](t)(s.LoginByName(ctx, u.Username))
			change(u)
			before := must[map[string][]string](t)(s.Dump(ctx))
			started, err := start(s, newFamily(s, u.ID), login)
			if started || err != nil {
				t.Errorf("%s: %v, %v", name, started, err)
			}
			if diff := cmp.Diff(before, must[map[string][]string](t)(s.Dump(ctx))); diff != "" {
				t.Errorf("%s: something was written: %s", name, diff)
			}
		}
		if started, err := start(s, newFamily(s, keystone.NewID(clock.Now())), store.Login{}); started || err != nil {
			t.Errorf("nobody: %v, %v", started, err)
		}
		u := newUser(t, s, "roles")
		login := must[store.Login](t)(s.LoginByName(ctx, u.Username))
		_, err := s.SetUserRoles(ctx, operator, u.ID, 0, []string{"user"})
		ok(t, err)
		if started, err := start(s, newFamily(s, u.ID), login); !started || err != nil {
			t.Errorf("a change of roles refuses a sign-in: %v, %v", started, err)
		}
	})
}

func TestEndSession(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		jane, john := newUser(t, s, "jane"), newUser(t, s, "john")
		g, other, foreign := signIn(t, s, jane), signIn(t, s, jane), signIn(t, s, john)

		for name, err := range map[string]error{ // SECURITY.md I10
			"somebody else's": s.EndSession(ctx, operator, foreign.SessionID, jane.ID, keystone.EndRevoked),
			"unknown":         s.EndSession(ctx, operator, keystone.NewID(clock.Now()), "", keystone.EndRevoked),
			"no id":           s.EndSession(ctx, operator, "", "", keystone.EndRevoked),
			"NUL":             s.EndSession(ctx, operator, "\x00", "", keystone.EndRevoked),
			"invalid UTF-8":   s.EndSession(ctx, operator, "\xff", "", keystone.EndRevoked),
		} {
			if keystone.KindOf(err) != keystone.NotFound {
				t.Errorf("%s: %v", name, err)
			}
		}
		clock.Move(time.Minute)
		ok(t, s.EndSession(ctx, operator, g.SessionID, jane.ID, keystone.EndLogout))
		if alive(t, s, g) || !alive(t, s, other) || !alive(t, s, foreign) {
			t.Fatal("one session ends and no other")
		}
		if ses := must[keystone.Session](t)(s.Session(ctx, g.SessionID)); ses.EndReason != keystone.EndLogout || !ses.EndedAt.Equal(clock.Now()) {
			t.Fatalf("%+v", ses)
		}
		_, err := s.Rotate(ctx, operator, g.ID, 1, rotation)
		wantKind(t, err, keystone.Invalid)
		wantKind(t, s.EndSession(ctx, operator, g.SessionID, jane.ID, keystone.EndLogout), keystone.NotFound)
		clock.Move(72 * time.Hour)
		wantKind(t, s.EndSession(ctx, operator, other.SessionID, jane.ID, keystone.EndLogout), keystone.NotFound)
	})
}

func TestEndSessions(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		jane, john := newUser(t, s, "jane"), newUser(t, s, "john")
		mine, second, third, foreign := signIn(t, s, jane), signIn(t, s, jane), signIn(t, s, jane), signIn(t, s, john)
		if n, err := s.EndSessions(ctx, operator, jane.ID, mine.SessionID, keystone.EndRevoked); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		if !alive(t, s, mine) || alive(t, s, second) || alive(t, s, third) || !alive(t, s, foreign) {
			t.Fatal("all others end, mine and those of others stay")
		}
		if n, err := s.EndSessions(ctx, operator, jane.ID, "", keystone.EndRevoked); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := s.EndSessions(ctx, operator, jane.ID, "", keystone.EndRevoked); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		_, err := s.EndSessions(ctx, operator, keystone.NewID(clock.Now()), "", keystone.EndRevoked)
		wantKind(t, err, keystone.NotFound)
		if list := must[keystone.List[keystone.Session]](t)(s.Sessions(ctx, jane.ID, keystone.Page{})); len(list.Items) != 0 {
			t.Fatalf("%+v", list)
		}
	})
}

func TestSessionsList(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		jane, john := newUser(t, s, "jane"), newUser(t, s, "john")
		var want []string
		for i := range 11 {
			clock.Move(time.Millisecond)
			u := jane
			if i%3 == 2 {
				u = john
			}
			g := signIn(t, s, u)
			if i == 4 {
				ok(t, s.EndSession(ctx, operator, g.SessionID, "", keystone.EndLogout))
			} else {
				want = append(want, u.Username+" "+g.SessionID)
			}
		}
		read := func(userID string) (got []string) {
			p := keystone.Page{Limit: 3}
			for {
				list := must[keystone.List[keystone.Session]](t)(s.Sessions(ctx, userID, p))
				for _, ses := range list.Items {
					got = append(got, ses.Username+" "+ses.ID)
				}
				if p.After = list.Next; p.After == "" {
					return got
				}
			}
		}
		if got := read(""); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		if got := read(john.ID); len(got) != 3 || !strings.HasPrefix(got[0], "john") {
			t.Fatalf("%q", got)
		}
		if got := read("\x00"); len(got) != 0 {
			t.Fatalf("%q", got)
		}
		clock.Move(48 * time.Hour)
		if got := read(""); len(got) != 0 {
			t.Fatalf("sessions past their end are listed: %q", got)
		}
	})
}

// TestTextFromOutside: what a browser sends about itself may be any bytes, and
// must not refuse a sign-in or lose an audit row.
func TestTextFromOutside(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		u := newUser(t, s, "jane")
		login := must[store.Login](t)(s.LoginByName(ctx, "jane"))
		for i, text := range []string{"M\xfcnchen", "cut \xe2\x82", "a\x00b", "\xed\xa0\x80"} {
			by := keystone.Actor{Kind: keystone.ActorUser, ID: u.ID, Name: text, Source: text, RequestID: text}
			g := newFamily(s, u.ID)
			started, err := s.StartSession(ctx, by, store.SignIn{Login: login, Grant: g,
				Session: keystone.Session{ID: g.SessionID, UserID: u.ID, ClientID: g.ClientID, Source: text, UserAgent: text, CreatedAt: g.CreatedAt, ExpiresAt: g.EndsAt}})
			if !started || err != nil {
				t.Fatalf("%q: %v, %v", text, started, err)
			}
			if err := s.Record(ctx, by, keystone.AuditEvent{Action: keystone.ActSignInFailed, TargetKind: "user", TargetName: text, Detail: map[string]any{"why": text}}); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if n := len(must[keystone.List[keystone.Session]](t)(s.Sessions(ctx, u.ID, keystone.Page{})).Items); n != i+1 {
				t.Fatal(n)
			}
		}
		for _, e := range trail(t, s) {
			e.Detail = nil // JSON escapes it
			if text := fmt.Sprint(e); strings.ContainsAny(text, "\x00") || strings.ToValidUTF8(text, "") != text {
				t.Errorf("%q", text)
			}
		}
	})
}

// TestEndingWhoHoldsMore: a manager of sessions does not sign an administrator
// out; everybody signs themselves out.
func TestEndingWhoHoldsMore(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		admin := newUser(t, s, "root", "admin")
		g := signIn(t, s, admin)
		manager := holder(keystone.SessionsWrite)
		wantKind(t, s.EndSession(ctx, manager, g.SessionID, "", keystone.EndRevoked), keystone.Forbidden)
		_, err := s.EndSessions(ctx, manager, admin.ID, "", keystone.EndRevoked)
		wantKind(t, err, keystone.Forbidden)
		if !alive(t, s, g) {
			t.Fatal("a refusal ended it")
		}
		ok(t, s.EndSession(ctx, keystone.Actor{Kind: keystone.ActorUser, ID: admin.ID, SessionID: g.SessionID}, g.SessionID, admin.ID, keystone.EndLogout))
		signIn(t, s, newUser(t, s, "jane", "user"))
		if n, err := s.EndSessions(ctx, manager, must[keystone.User](t)(s.FindUser(ctx, "jane")).ID, "", keystone.EndRevoked); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	})
}

// TestIdleSessions: a session that was not used for longer than it may rest is in no
// list and no count, and a browser's is kept as long as it may be used.
func TestIdleSessions(t *testing.T) {
	const day = 24 * time.Hour
	run := func(t *testing.T, url string) {
		clock := storetest.NewClock()
		s := must[*store.Store](t)(store.Open(ctx, url, store.Options{Master: storetest.Master, Now: clock.Now, PoolSize: 4, Idle: 200 * day}))
		t.Cleanup(s.Close)
		must[[]store.Migration](t)(s.Migrate(ctx))
		u := newUser(t, s, "jane")
		start := clock.Now()
		for _, id := range []string{"rests", "refreshed", "browser"} {
			must[int64](t)(s.Raw(ctx, `INSERT INTO sessions (id, user_id, client_id, source, user_agent, amr, created_at, last_seen, expires_at, ended_at, end_reason)
				VALUES ($1, $2, '', '', '', '', $3, $3, $4, 0, '')`, id, u.ID, start.UnixMicro(), start.Add(1000*day).UnixMicro()))
		}
		clock.Move(150 * day)
		must[int64](t)(s.Raw(ctx, `INSERT INTO grants (id, user_id, client_id, session_id, scopes, audiences, generation, rotated_at, created_at, expires_at, ends_at, revoked_at, reason)
			VALUES ('g', $1, '', 'refreshed', '', '[]', 1, $2, 1, $3, $3, 0, '')`, u.ID, clock.Now().UnixMicro(), start.Add(1000*day).UnixMicro()))
		must[int64](t)(s.Raw(ctx, `INSERT INTO browser_sessions (session_id, browser, auth_time, last_used) VALUES ('browser', $1, $2, $2)`, []byte("b"), clock.Now().UnixMicro()))
		living := func() (names []string) {
			for _, ses := range must[keystone.List[keystone.Session]](t)(s.Sessions(ctx, u.ID, keystone.Page{})).Items {
				names = append(names, ses.ID)
			}
			if n := must[store.Stats](t)(s.Stats(ctx)).Sessions; n != int64(len(names)) {
				t.Errorf("%d counted, %d listed", n, len(names))
			}
			return names
		}
		if got := living(); len(got) != 3 {
			t.Errorf("after 150 days: %q", got)
		}
		clock.Move(51 * day)
		if got := living(); !slices.Equal(got, []string{"browser", "refreshed"}) {
			t.Errorf("after 201 days: %q", got)
		}
		clock.Move(148 * day) // the browser's was used 199 days ago
		if removed := must[map[string]int64](t)(s.Sweep(ctx)); removed["browser_sessions"] != 0 {
			t.Error("a browser's session was swept that may be used")
		}
		clock.Move(2 * day)
		if removed := must[map[string]int64](t)(s.Sweep(ctx)); removed["browser_sessions"] != 1 || len(living()) != 0 {
			t.Errorf("%v", removed)
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, storetest.SQLitePath(t)) })
	t.Run("postgres", func(t *testing.T) { run(t, storetest.PostgresURL(t)) })
}

package store_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// auditor acts in these tests; each of its fields must be in the trail.
var auditor = keystone.Actor{Kind: keystone.ActorOperator, ID: "actor-id", Name: "actor-name", ClientID: "actor-client", Source: "192.0.2.99", RequestID: "actor-request"}

// write is one way to change security state. given prepares it and returns the
// change itself; secrets collects what must not be found anywhere afterwards.
type write struct {
	name   string
	leaves string // the actions in the trail, in order
	given  func(t *testing.T, s *store.Store, secrets *[]string) func() error
}

// writes is every exported method that changes security state.
func writes() []write {
	n := 0
	fresh := func(prefix string) string { n++; return fmt.Sprint(prefix, n) }
	user := func(t *testing.T, s *store.Store) keystone.User { return newUser(t, s, fresh("user"), "user") }
	w := func(name, leaves string, given func(t *testing.T, s *store.Store, secrets *[]string) func() error) write {
		return write{name, leaves, given}
	}
	return []write{
		w("CreateUser", "user.created", func(_ *testing.T, s *store.Store, secrets *[]string) func() error {
			name, hash := fresh("user"), fresh("canary-hash-")
			*secrets = append(*secrets, hash)
			return func() error {
				_, err := s.CreateUser(ctx, auditor, keystone.User{Username: name, Email: name + "@example.com", Roles: []string{"user"}}, hash)
				return err
			}
		}),
		w("RegisterUser", "user.created", func(_ *testing.T, s *store.Store, secrets *[]string) func() error {
			name, hash := fresh("user"), fresh("canary-hash-")
			*secrets = append(*secrets, hash)
			return func() error {
				_, err := s.RegisterUser(ctx, auditor, keystone.User{Username: name, Email: name + "@example.com"}, hash)
				return err
			}
		}),
		w("UpdateUser", "user.updated", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			u := user(t, s)
			return func() error {
				_, err := s.UpdateUser(ctx, auditor, u.ID, 0, keystone.UserPatch{FirstName: ptr("New")})
				return err
			}
		}),
		w("UpdateUser disabling", "user.disabled", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			u := user(t, s)
			signIn(t, s, u)
			return func() error {
				_, err := s.UpdateUser(ctx, auditor, u.ID, 0, keystone.UserPatch{Enabled: ptr(false)})
				return err
			}
		}),
		w("UpdateUser enabling", "user.enabled", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			u := must[keystone.User](t)(s.CreateUser(ctx, operator, keystone.User{Username: fresh("user"), Email: fresh("user") + "@example.com"}, ""))
			return func() error {
				_, err := s.UpdateUser(ctx, auditor, u.ID, 0, keystone.UserPatch{Enabled: ptr(true)})
				return err
			}
		}),
		w("DeleteUser", "user.deleted", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			u := user(t, s)
			signIn(t, s, u)
			return func() error { return s.DeleteUser(ctx, auditor, u.ID, 0) }
		}),
		w("SetUserRoles", "user.roles_changed", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			u := user(t, s)
			return func() error { _, err := s.SetUserRoles(ctx, auditor, u.ID, 0, nil); return err }
		}),
		w("SetPassword", "password.changed", func(t *testing.T, s *store.Store, secrets *[]string) func() error {
			u, hash := user(t, s), fresh("canary-hash-")
			*secrets = append(*secrets, hash)
			signIn(t, s, u)
			return func() error { return s.SetPassword(ctx, auditor, u.ID, hash, "") }
		}),
		w("Rehash", "password.rehashed", func(t *testing.T, s *store.Store, secrets *[]string) func() error {
			u, hash := user(t, s), fresh("canary-hash-")
			*secrets = append(*secrets, hash)
			return func() error { return s.Rehash(ctx, auditor, u.ID, "hash-of-"+u.Username, hash) }
		}),
		w("Unlock", "user.unlocked", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			u := user(t, s)
			count(t, s, store.AttemptKey{Key: "login:" + u.ID, Free: 5})
			return func() error { return s.Unlock(ctx, auditor, u.ID, "login:"+u.ID) }
		}),
		w("StartSession", "sign_in.succeeded", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			u := user(t, s)
			login := must[store.Login](t)(s.LoginByID(ctx, u.ID))
			count(t, s, store.AttemptKey{Key: "start:" + u.ID, Free: 5})
			return func() error {
				g := newFamily(s, u.ID)
				_, err := s.StartSession(ctx, auditor, store.SignIn{Login: login, Grant: g, Clear: []string{"start:" + u.ID},
					Session: keystone.Session{ID: g.SessionID, UserID: u.ID, ClientID: g.ClientID, CreatedAt: g.CreatedAt, ExpiresAt: g.EndsAt}})
				return err
			}
		}),
		w("EndSession", "session.ended", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			g := signIn(t, s, user(t, s))
			return func() error { return s.EndSession(ctx, auditor, g.SessionID, "", keystone.EndLogout) }
		}),
		w("EndSessions", "sessions.ended", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			u := user(t, s)
			signIn(t, s, u)
			return func() error { _, err := s.EndSessions(ctx, auditor, u.ID, "", keystone.EndRevoked); return err }
		}),
		w("Rotate", "token.refreshed", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			g := signIn(t, s, user(t, s))
			return func() error { _, err := s.Rotate(ctx, auditor, g.ID, 1, rotation); return err }
		}),
		w("Rotate detecting reuse", "token.reuse_detected", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			g := signIn(t, s, user(t, s))
			good(t, rotate(s, g, 1, rotation), 2)
			good(t, rotate(s, g, 2, rotation), 3)
			return func() error {
				if _, err := s.Rotate(ctx, auditor, g.ID, 1, rotation); keystone.KindOf(err) != keystone.Invalid {
					return err
				}
				return nil
			}
		}),
		w("RevokeGrant", "token.revoked", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			g := signIn(t, s, user(t, s))
			return func() error { return s.RevokeGrant(ctx, auditor, g.ID, keystone.EndTokenRevoked) }
		}),
		w("RevokeGrant of a code that came again", "code.reuse_detected", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			g := signIn(t, s, user(t, s))
			return func() error { return s.RevokeGrant(ctx, auditor, g.ID, keystone.EndCodeReuse) }
		}),
		w("SaveAccessToken", "token.issued", func(_ *testing.T, s *store.Store, secrets *[]string) func() error {
			value := secret.New(secret.AccessToken)
			*secrets = append(*secrets, value, hex.EncodeToString(secret.Hash(value)))
			return func() error {
				return s.SaveAccessToken(ctx, auditor, secret.Hash(value), store.AccessToken{JTI: keystone.NewID(s.Now()), ClientID: "c", ExpiresAt: s.Now().Add(time.Hour)})
			}
		}),
		w("RevokeAccessToken", "token.revoked", func(_ *testing.T, s *store.Store, _ *[]string) func() error {
			jti := keystone.NewID(s.Now())
			return func() error { return s.RevokeAccessToken(ctx, auditor, jti, "c", s.Now().Add(time.Hour)) }
		}),
		w("CreateRole", "role.created", func(_ *testing.T, s *store.Store, _ *[]string) func() error {
			name := fresh("role")
			return func() error {
				_, err := s.CreateRole(ctx, auditor, keystone.Role{Name: name, Scopes: []string{"users:read"}})
				return err
			}
		}),
		w("UpdateRole", "role.updated", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			r := newRole(t, s, fresh("role"))
			return func() error {
				_, err := s.UpdateRole(ctx, auditor, r.ID, 0, store.RolePatch{Name: ptr(fresh("role")), Scopes: &[]string{"users:read"}})
				return err
			}
		}),
		w("DeleteRole", "role.deleted", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			r := newRole(t, s, fresh("role"), "users:read")
			return func() error { return s.DeleteRole(ctx, auditor, r.ID, 0) }
		}),
		w("CreateScope", "scope.created", func(_ *testing.T, s *store.Store, _ *[]string) func() error {
			name := fresh("scope")
			return func() error { _, err := s.CreateScope(ctx, auditor, keystone.Scope{Name: name}); return err }
		}),
		w("UpdateScope", "scope.updated", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			sc := newScope(t, s, fresh("scope"))
			return func() error { _, err := s.UpdateScope(ctx, auditor, sc.ID, 0, "new"); return err }
		}),
		w("DeleteScope", "scope.deleted", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			sc := newScope(t, s, fresh("scope"))
			newRole(t, s, fresh("role"), sc.Name)
			return func() error { return s.DeleteScope(ctx, auditor, sc.ID, 0) }
		}),
		w("CreateClient", "client.created client.secret_added", func(_ *testing.T, s *store.Store, secrets *[]string) func() error {
			return func() error {
				_, value, err := s.CreateClient(ctx, auditor, keystone.Client{Name: "c", Kind: keystone.ClientService, Scopes: []string{"users:read"}})
				if err == nil {
					*secrets = append(*secrets, value, hex.EncodeToString(secret.Hash(value)))
				}
				return err
			}
		}),
		w("UpdateClient", "client.updated", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			c, _ := newService(t, s)
			return func() error {
				_, err := s.UpdateClient(ctx, auditor, c.ID, 0, func(c *keystone.Client) { c.Enabled, c.Scopes = false, []string{"users:read"} })
				return err
			}
		}),
		w("DeleteClient", "client.deleted", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			c, _ := newService(t, s, "users:read")
			return func() error { return s.DeleteClient(ctx, auditor, c.ID, 0) }
		}),
		w("RotateSecret", "client.secret_added", func(t *testing.T, s *store.Store, secrets *[]string) func() error {
			c, _ := newService(t, s)
			return func() error {
				value, _, err := s.RotateSecret(ctx, auditor, c.ID, time.Hour)
				if err == nil {
					*secrets = append(*secrets, value, hex.EncodeToString(secret.Hash(value)))
				}
				return err
			}
		}),
		w("AddSecret", "client.secret_added", func(t *testing.T, s *store.Store, secrets *[]string) func() error {
			c, _ := newService(t, s)
			return func() error {
				value, _, err := s.AddSecret(ctx, auditor, c.ID, time.Time{})
				if err == nil {
					*secrets = append(*secrets, value, hex.EncodeToString(secret.Hash(value)))
				}
				return err
			}
		}),
		w("RemoveSecret", "client.secret_removed", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			c, _ := newService(t, s)
			list := must[[]keystone.ClientSecret](t)(s.Secrets(ctx, c.ID))
			return func() error { return s.RemoveSecret(ctx, auditor, c.ID, list[0].ID) }
		}),
		w("AddSigningKey", "key.created", func(_ *testing.T, s *store.Store, secrets *[]string) func() error {
			n++
			k := store.SealedKey{Key: keystone.Key{ID: keystone.NewID(s.Now()), Algorithm: "ES256", Seq: int64(n), CreatedAt: s.Now(), ActiveAt: s.Now()}, Sealed: []byte(fresh("canary-sealed-"))}
			*secrets = append(*secrets, string(k.Sealed), hex.EncodeToString(k.Sealed))
			return func() error { _, err := s.AddSigningKey(ctx, auditor, k, s.Now().Add(time.Hour)); return err }
		}),
		w("ActivateSigningKey", "key.activated", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			n++
			k := store.SealedKey{Key: keystone.Key{ID: keystone.NewID(s.Now()), Algorithm: "RS256", Seq: int64(n), CreatedAt: s.Now(), ActiveAt: s.Now().Add(time.Hour)}, Sealed: []byte("x")}
			_, err := s.AddSigningKey(ctx, operator, k, s.Now())
			ok(t, err)
			return func() error { return s.ActivateSigningKey(ctx, auditor, k.ID, s.Now()) }
		}),
		w("RevokeSigningKey", "key.revoked", func(t *testing.T, s *store.Store, _ *[]string) func() error {
			n++
			k := store.SealedKey{Key: keystone.Key{ID: keystone.NewID(s.Now()), Algorithm: "RS256", Seq: int64(n), CreatedAt: s.Now(), ActiveAt: s.Now()}, Sealed: []byte("x")}
			_, err := s.AddSigningKey(ctx, operator, k, s.Now())
			ok(t, err)
			return func() error { return s.RevokeSigningKey(ctx, auditor, k.ID, "", s.Now()) }
		}),
		// The last two: an administrator closes the setup.
		w("SetupToken", "setup.link_created", func(_ *testing.T, s *store.Store, secrets *[]string) func() error {
			return func() error {
				value, err := s.SetupToken(ctx, auditor)
				if err == nil {
					*secrets = append(*secrets, value, hex.EncodeToString(secret.Hash(value)))
				}
				return err
			}
		}),
		w("CreateFirstAdmin", "user.created setup.completed", func(t *testing.T, s *store.Store, secrets *[]string) func() error {
			link, hash := must[string](t)(s.SetupToken(ctx, operator)), fresh("canary-hash-")
			*secrets = append(*secrets, link, hash)
			return func() error {
				_, err := s.CreateFirstAdmin(ctx, auditor, link, firstAdmin(fresh("user")), hash)
				return err
			}
		}),
	}
}

// TestEveryWriteIsInTheTrail is promise P8: each change leaves its rows, with
// who, when, from where and on what; and no secret, in the trail or at rest.
func TestEveryWriteIsInTheTrail(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		var secrets []string
		for _, w := range writes() {
			change := w.given(t, s, &secrets)
			before := len(trail(t, s))
			clock.Move(time.Second)
			if err := change(); err != nil {
				t.Errorf("%s: %v", w.name, err)
				continue
			}
			var actions []string
			for _, e := range trail(t, s)[before:] {
				actions = append(actions, e.Action)
				if e.ActorKind != auditor.Kind || e.ActorID != auditor.ID || e.ActorName != auditor.Name || e.ClientID != auditor.ClientID ||
					e.Source != auditor.Source || e.RequestID != auditor.RequestID || !e.At.Equal(clock.Now()) || !keystone.IsID(e.ID) {
					t.Errorf("%s: who, when or from where is missing: %+v", w.name, e)
				}
				if e.TargetKind == "" || e.TargetID == "" && e.TargetKind != "server" {
					t.Errorf("%s: on what is missing: %+v", w.name, e)
				}
			}
			if got := strings.Join(actions, " "); got != w.leaves {
				t.Errorf("%s left %q, want %q", w.name, got, w.leaves)
			}
		}
		// SECURITY.md N4 and P7: the trail holds no secret. S7: the database holds
		// no bearer value at all.
		for table, rows := range must[map[string][]string](t)(s.Dump(ctx)) {
			all := strings.Join(rows, "\n")
			for _, value := range secrets {
				isHash := !strings.HasPrefix(value, "ks_") // a hash, a sealed key: stored, in its own table
				if strings.Contains(all, value) && (!isHash || table == "audit" || table == "audit_seals") {
					t.Errorf("%s holds %.14s…", table, value)
				}
			}
		}
		if len(secrets) < 18 {
			t.Errorf("only %d secrets were planted", len(secrets))
		}
	})
}

// TestEveryActionIsWritten: what the list of actions promises to filters and alerts,
// some code writes.
func TestEveryActionIsWritten(t *testing.T) {
	root := filepath.Join("..", "..")
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "audit.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	unwritten := map[string]bool{}
	for name, o := range file.Scope.Objects { // one file, and its own names only
		if o.Kind == ast.Con && strings.HasPrefix(name, "Act") {
			unwritten[name] = true
		}
	}
	if len(unwritten) < 40 {
		t.Fatalf("only %d actions were found", len(unwritten))
	}
	named := regexp.MustCompile(`keystone\.(Act[A-Z]\w+)`)
	if err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			delete(unwritten, m[1])
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for name := range unwritten {
		t.Errorf("nothing writes %s", name)
	}
}

// TestNoWriteWithoutTrail is SECURITY.md N10: where the trail cannot be written,
// nothing is.
func TestNoWriteWithoutTrail(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		raw := func(sql string) {
			t.Helper()
			if _, err := s.Raw(ctx, sql); err != nil {
				t.Fatal(err)
			}
		}
		block, unblock := `CREATE TRIGGER full_trail BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END`, `DROP TRIGGER full_trail`
		if s.OnPostgres() {
			raw(`CREATE FUNCTION full_trail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no room''; END'`)
			block, unblock = `CREATE TRIGGER full_trail BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION full_trail()`, `DROP TRIGGER full_trail ON audit`
		}
		var secrets []string
		for _, w := range writes() {
			change := w.given(t, s, &secrets)
			before := must[map[string][]string](t)(s.Dump(ctx))
			raw(block)
			err := change()
			raw(unblock)
			if err == nil {
				t.Errorf("%s succeeds without a trail", w.name)
			}
			if diff := cmp.Diff(before, must[map[string][]string](t)(s.Dump(ctx))); diff != "" {
				t.Errorf("%s: something was written: %s", w.name, diff)
			}
			if err := change(); err != nil {
				t.Errorf("%s does not work afterwards: %v", w.name, err)
			}
		}
	})
}

// TestTrailTellsTheChange: before and after hold what differs, and only that.
func TestTrailTellsTheChange(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		detail := func() map[string]any { events := trail(t, s); return events[len(events)-1].Detail }
		u := newUser(t, s, "jane", "user")
		_, err := s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Email: ptr("new@example.com"), FirstName: ptr("Jane")})
		ok(t, err)
		want := map[string]any{"before": map[string]any{"email": "jane@example.com", "first_name": ""}, "after": map[string]any{"email": "new@example.com", "first_name": "Jane"}}
		if diff := cmp.Diff(want, detail()); diff != "" {
			t.Error(diff)
		}
		_, err = s.SetUserRoles(ctx, operator, u.ID, 0, []string{"admin"})
		ok(t, err)
		if diff := cmp.Diff(map[string]any{"before": []any{"user"}, "after": []any{"admin"}}, detail()); diff != "" {
			t.Error(diff)
		}
		r := newRole(t, s, "seller", "users:read", "audit:read")
		_, err = s.UpdateRole(ctx, operator, r.ID, 0, store.RolePatch{Name: ptr("vendor"), Scopes: &[]string{"users:read"}})
		ok(t, err)
		want = map[string]any{"before": map[string]any{"name": "seller", "scopes": []any{"audit:read", "users:read"}}, "after": map[string]any{"name": "vendor", "scopes": []any{"users:read"}}}
		if diff := cmp.Diff(want, detail()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAuditFilters(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		start, id := clock.Now(), keystone.NewID(clock.Now())
		service := keystone.Actor{Kind: keystone.ActorClient, ID: id, Name: "shop"}
		for _, e := range []struct {
			by             keystone.Actor
			action, target string
		}{
			{keystone.Operator("root"), "user.created", "jane"},
			{keystone.Operator("root"), "user.deleted", id},
			{service, "user.created", "john"},
			{service, "users.counted", "john"},
			{keystone.Anonymous(), "sign_in.failed", "jane"},
			{keystone.Anonymous(), "user", "%"},
		} {
			event := keystone.AuditEvent{Action: e.action, TargetKind: "user", TargetName: e.target}
			if keystone.IsID(e.target) {
				event.TargetID, event.TargetName = e.target, ""
			}
			ok(t, s.Record(ctx, e.by, event))
			clock.Move(time.Minute)
		}
		for _, test := range []struct {
			name   string
			filter keystone.AuditFilter
			want   string // minutes, newest first
		}{
			{"all", keystone.AuditFilter{}, "5 4 3 2 1 0"},
			{"from", keystone.AuditFilter{From: start.Add(4 * time.Minute)}, "5 4"},
			{"to is not included", keystone.AuditFilter{To: start.Add(2 * time.Minute)}, "1 0"},
			{"between", keystone.AuditFilter{From: start.Add(time.Minute), To: start.Add(3 * time.Minute)}, "2 1"},
			{"nothing between", keystone.AuditFilter{From: start.Add(time.Hour)}, ""},
			{"actor by name", keystone.AuditFilter{Actor: "root"}, "1 0"},
			{"actor by id", keystone.AuditFilter{Actor: id}, "3 2"},
			{"target by name", keystone.AuditFilter{Target: "jane"}, "4 0"},
			{"target by id", keystone.AuditFilter{Target: id}, "1"},
			{"action", keystone.AuditFilter{Action: "user.created"}, "2 0"},
			{"family", keystone.AuditFilter{Action: "user."}, "2 1 0"},
			{"all of them", keystone.AuditFilter{Actor: "shop", Target: "john", Action: "user.", From: start, To: clock.Now()}, "2"},
			{"wildcards mean themselves", keystone.AuditFilter{Target: "%"}, "5"},
			{"no wildcard", keystone.AuditFilter{Action: "user%"}, ""},
			{"no SQL", keystone.AuditFilter{Actor: "' OR 1=1 --"}, ""},
			{"any bytes", keystone.AuditFilter{Actor: "\x00", Target: "\xff", Action: "\x00."}, ""},
			{"only a dot", keystone.AuditFilter{Action: "."}, ""},
		} {
			for _, limit := range []int{1, 2, 50} {
				var got []string
				p := keystone.Page{Limit: limit}
				for {
					list, err := s.AuditEvents(ctx, test.filter, p)
					ok(t, err)
					for _, e := range list.Items {
						got = append(got, fmt.Sprint(int(e.At.Sub(start).Minutes())))
					}
					if p.After = list.Next; p.After == "" {
						break
					}
				}
				if strings.Join(got, " ") != test.want {
					t.Errorf("%s by %d: got %q, want %q", test.name, limit, got, test.want)
				}
			}
		}
		if e := trail(t, s)[2]; e.ClientID != id {
			t.Errorf("a service's own id is its client: %+v", e)
		}
		for _, bad := range []string{"x", "1.5", ""}[:2] {
			_, err := s.AuditEvents(ctx, keystone.AuditFilter{}, keystone.Page{After: bad})
			wantField(t, err, keystone.Invalid, "cursor")
		}
	})
}

// TestAuditOfAFamily: by the id of a family of refresh tokens all is found that happened
// to it, by whomever, also when the family itself is gone.
func TestAuditOfAFamily(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		g, other, unused := signIn(t, s, u), signIn(t, s, u), signIn(t, s, u)
		jane := keystone.Actor{Kind: keystone.ActorUser, ID: u.ID}
		for i := range uint32(3) {
			clock.Move(time.Minute)
			good(t, rotate(s, other, i+1, rotation), i+2)
			good(t, rotate(s, g, i+1, rotation), i+2)
		}
		good(t, rotate(s, g, 3, rotation), 4) // inside its grace
		clock.Move(time.Minute)
		dead(t, rotate(s, g, 2, rotation))
		ok(t, s.Record(ctx, operator, keystone.AuditEvent{Action: "x.looked", TargetKind: "grant", TargetID: g.ID}))

		const refreshed = "token.refreshed"
		all := []string{"x.looked", "token.reuse_detected", refreshed, refreshed, refreshed, refreshed}
		check := func(when string) {
			t.Helper()
			for _, test := range []struct {
				name string
				f    keystone.AuditFilter
				want []string
			}{
				{"a family", keystone.AuditFilter{Target: g.ID}, all},
				{"another", keystone.AuditFilter{Target: other.ID}, all[3:]},
				{"one never used", keystone.AuditFilter{Target: unused.ID}, nil},
				{"no family", keystone.AuditFilter{Target: keystone.NewID(clock.Now())}, nil},
				{"by its owner", keystone.AuditFilter{Target: g.ID, Actor: jane.ID}, all[1:]},
				{"by its owner's name", keystone.AuditFilter{Target: g.ID, Actor: "jane"}, all[1:]},
				{"by others", keystone.AuditFilter{Target: g.ID, Actor: operator.Name}, all[:1]},
				{"by nobody", keystone.AuditFilter{Target: g.ID, Actor: keystone.NewID(clock.Now())}, nil},
				{"its refreshes", keystone.AuditFilter{Target: g.ID, Action: refreshed}, all[2:]},
				{"of its refreshes those of a time", keystone.AuditFilter{Target: g.ID, Action: "token.", From: clock.Now().Add(-150 * time.Second)}, all[1:5]},
			} {
				for _, limit := range []int{1, 2, 50} {
					var got []string
					for p := (keystone.Page{Limit: limit}); ; {
						list := must[keystone.List[keystone.AuditEvent]](t)(s.AuditEvents(ctx, test.f, p))
						for _, e := range list.Items {
							got = append(got, e.Action)
						}
						if p.After = list.Next; p.After == "" {
							break
						}
					}
					if !slices.Equal(got, test.want) {
						t.Errorf("%s, %s, %d a page: %v, want %v", when, test.name, limit, got, test.want)
					}
				}
			}
		}
		check("while it is there")

		long := signIn(t, s, u)
		for i := range uint32(40) {
			good(t, rotate(s, long, i+1, rotation), i+2)
		}
		must[int64](t)(s.Raw(ctx, `DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE target_id = $1 ORDER BY seq LIMIT 30)`, long.ID))
		old := keystone.NewID(clock.Now())
		ok(t, s.Record(ctx, jane, keystone.AuditEvent{Action: keystone.ActCodeRedeemed, TargetKind: "grant", TargetID: old}))
		ok(t, s.Record(ctx, jane, keystone.AuditEvent{Action: refreshed, TargetKind: "grant", TargetID: old}))

		must[int64](t)(s.Raw(ctx, `DELETE FROM grants`))
		check("when it is gone")
		for _, test := range []struct {
			name, id string
			want     int
		}{{"whose first uses are pruned", long.ID, 10}, {"whose first use says nothing", old, 2}} {
			if list := must[keystone.List[keystone.AuditEvent]](t)(s.AuditEvents(ctx, keystone.AuditFilter{Target: test.id}, keystone.Page{})).Items; len(list) != test.want {
				t.Errorf("one %s: %d of %d rows", test.name, len(list), test.want)
			}
		}
	})
}

// TestAuditIndexes: what was done by somebody, and to something, is found without reading
// the rest of the trail.
func TestAuditIndexes(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		g := signIn(t, s, newUser(t, s, "jane"))
		must[int64](t)(s.Raw(ctx, `INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
			SELECT CAST(i AS TEXT), $1, 'user', 'actor ' || (i / 10), 'x', '', '', '', CASE WHEN i % 10 = 0 THEN 'x.looked' ELSE 'token.refreshed' END, 'grant', 'target ' || (i / 10), '', '{}' FROM n`, clock.Now().UnixMicro()))
		must[int64](t)(s.Raw(ctx, `ANALYZE`))
		for _, test := range []struct {
			f    keystone.AuditFilter
			want []string
		}{
			{keystone.AuditFilter{Actor: g.UserID}, []string{"audit_actor"}},
			{keystone.AuditFilter{Target: g.UserID}, []string{"audit_about", "audit_about"}}, // whose family it is, too
			{keystone.AuditFilter{Target: g.ID}, []string{"audit_about", "audit_actor"}},
		} {
			explained, plans := s.Explained()
			must[keystone.List[keystone.AuditEvent]](t)(explained.AuditEvents(ctx, test.f, keystone.Page{}))
			var used []string
			for _, plan := range *plans {
				used = append(used, regexp.MustCompile(`audit_a[a-z]+`).FindAllString(plan, -1)...)
			}
			if !slices.Equal(used, test.want) {
				t.Errorf("%+v: %q", test.f, *plans)
			}
		}
	})
}

// TestDetailText: the short way to write a detail gives what JSON gives.
func TestDetailText(t *testing.T) {
	id := keystone.NewID(time.Now())
	for _, detail := range []map[string]any{{"jti": id}, {"jti": `"`}, {`a"b`: id}, {"A<": id}, {"jti": id, "a": id}, {"n": 1}, {"jti": id + "\n"}} {
		want, err := json.Marshal(detail)
		ok(t, err)
		if got := store.DetailText(detail); got != string(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestAuditByName: a name finds what was done by, or to, whoever has it now, wherever
// it stands in the trail, and the name itself among the newest rows.
func TestAuditByName(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		u := newUser(t, s, "jane")
		c, _ := newService(t, s)
		note := func(by keystone.Actor, what string, target keystone.AuditEvent) {
			target.Action = "test." + what
			ok(t, s.Record(ctx, by, target))
		}
		jane := keystone.Actor{Kind: keystone.ActorUser, ID: u.ID, Name: "jane"}
		note(jane, "old", keystone.AuditEvent{TargetID: u.ID, TargetName: "jane"})
		note(keystone.Operator("jane"), "namesake", keystone.AuditEvent{TargetKind: "session", TargetName: "jane"})
		note(keystone.Actor{Kind: keystone.ActorClient, ID: c.ID, Name: c.Name}, "client", keystone.AuditEvent{TargetName: "x"})
		must[int64](t)(s.Raw(ctx, `INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50001)
			SELECT CAST(i AS TEXT), $1, 'user', 'somebody', 'else', '', '', '', 'filler', '', '', '', '{}' FROM n`, clock.Now().UnixMicro()))
		note(jane, "new", keystone.AuditEvent{TargetName: "y"})
		must[keystone.User](t)(s.UpdateUser(ctx, operator, u.ID, 0, keystone.UserPatch{Username: ptr("janet")}))
		actions := func(f keystone.AuditFilter, limit int) string {
			var got []string
			f.Action = "test."
			for p := (keystone.Page{Limit: limit}); ; {
				list := must[keystone.List[keystone.AuditEvent]](t)(s.AuditEvents(ctx, f, p))
				for _, e := range list.Items {
					got = append(got, strings.TrimPrefix(e.Action, "test."))
				}
				if p.After = list.Next; p.After == "" {
					return strings.Join(got, " ")
				}
			}
		}
		for _, limit := range []int{1, 2, 50} {
			for _, test := range []struct {
				name string
				f    keystone.AuditFilter
				want string
			}{
				{"by the name of now", keystone.AuditFilter{Actor: "janet"}, "new old"},
				{"by the address", keystone.AuditFilter{Actor: "JANE@example.com"}, "new old"},
				{"by a former name, among the newest", keystone.AuditFilter{Actor: "jane"}, "new"},
				{"to the name of now", keystone.AuditFilter{Target: "janet"}, "old"},
				{"by a client", keystone.AuditFilter{Actor: c.Name}, "client"},
				{"by and to", keystone.AuditFilter{Actor: "janet", Target: "janet"}, "old"},
				{"by one, to a name", keystone.AuditFilter{Actor: "janet", Target: "y"}, "new"},
				{"by nobody", keystone.AuditFilter{Actor: "nobody"}, ""},
			} {
				if got := actions(test.f, limit); got != test.want {
					t.Errorf("%s, %d a page: %q, want %q", test.name, limit, got, test.want)
				}
			}
		}
	})
}

// BenchmarkAuditByName is a search of 400,000 rows for a name that a user has and for
// one that nobody has, and the counts of the day. A scan of the trail is 100 times that.
func BenchmarkAuditByName(b *testing.B) {
	run := func(b *testing.B, url string) {
		clock := storetest.NewClock()
		s := storetest.OpenAt(b, url, clock)
		u := newUser(b, s, "jane")
		must[int64](b)(s.Raw(ctx, `INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
			SELECT CAST(i AS TEXT), CAST($1 AS BIGINT) + CAST(i AS BIGINT) * 10000000, 'user', CASE WHEN i % 1000 = 0 THEN $2 ELSE 'somebody' END, 'x', '', '192.0.2.1', '', CASE WHEN i % 2 = 0 THEN 'sign_in.succeeded' ELSE 'token.refreshed' END, 'session', '', 'x', '{"some":"detail of a usual length"}' FROM n`,
			clock.Now().UnixMicro(), u.ID))
		clock.Move(4_000_000 * time.Second)
		for name, call := range map[string]func() error{
			"known": func() error {
				_, err := s.AuditEvents(ctx, keystone.AuditFilter{Actor: "jane"}, keystone.Page{})
				return err
			},
			"nobody": func() error {
				_, err := s.AuditEvents(ctx, keystone.AuditFilter{Target: "nobody"}, keystone.Page{})
				return err
			},
			"hour": func() error {
				_, err := s.AuditEvents(ctx, keystone.AuditFilter{Action: "none", From: clock.Now().Add(-time.Hour)}, keystone.Page{})
				return err
			},
			"stats": func() error { _, err := s.Stats(ctx); return err },
		} {
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					ok(b, call())
				}
			})
		}
	}
	b.Run("sqlite", func(b *testing.B) { run(b, storetest.SQLitePath(b)) })
	b.Run("postgres", func(b *testing.B) { run(b, storetest.PostgresURL(b)) })
}

// TestAuditTimes: rows in the order of their numbers, whose times differ from that order by
// what clocks of nodes may, and with gaps: a filter by time shows what it would of every row.
func TestAuditTimes(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		ok(t, s.Record(ctx, operator, keystone.AuditEvent{Action: "x.first"}))
		base := clock.Now().Truncate(time.Second)
		const n = 60
		for i := range n {
			clock.Move(base.Add(time.Duration(i)*10*time.Second + time.Duration(i*17%41-20)*time.Second).Sub(clock.Now()))
			ok(t, s.Record(ctx, operator, keystone.AuditEvent{Action: "x.row"}))
		}
		for _, gap := range []string{`seq % 7 = 0`, `seq < 5`, `seq BETWEEN 20 AND 31`} {
			_, err := s.Raw(ctx, `DELETE FROM audit WHERE `+gap)
			ok(t, err)
		}
		every := must[keystone.List[keystone.AuditEvent]](t)(s.AuditEvents(ctx, keystone.AuditFilter{}, keystone.Page{Limit: 200})).Items
		moments := []time.Time{{}}
		for i := -3; i < n/4+3; i++ {
			moments = append(moments, base.Add(time.Duration(i)*40*time.Second))
		}
		for _, from := range moments {
			for _, to := range moments {
				f := keystone.AuditFilter{From: from, To: to}
				var want, got []int64
				for _, e := range every {
					if !e.At.Before(from) && (to.IsZero() || e.At.Before(to)) {
						want = append(want, e.Seq)
					}
				}
				for _, e := range must[keystone.List[keystone.AuditEvent]](t)(s.AuditEvents(ctx, f, keystone.Page{Limit: 200})).Items {
					got = append(got, e.Seq)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("from %s to %s: %v, want %v", from, to, got, want)
				}
			}
		}
	})
}

// TestAuditTimesAfterAClockBehind: a stretch of rows whose node had an old clock hides none
// of those before it.
func TestAuditTimesAfterAClockBehind(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		write := func(n int, action string) {
			for range n {
				clock.Move(time.Second)
				ok(t, s.Record(ctx, operator, keystone.AuditEvent{Action: action}))
			}
		}
		write(20, "x.old")
		clock.Move(time.Hour)
		from := clock.Now()
		write(20, "x.wanted")
		clock.Move(-1000 * time.Hour)
		write(50, "x.behind")
		clock.Move(1000 * time.Hour)
		write(40, "x.wanted")
		got := must[keystone.List[keystone.AuditEvent]](t)(s.AuditEvents(ctx, keystone.AuditFilter{From: from}, keystone.Page{Limit: 200})).Items
		if len(got) != 60 {
			t.Errorf("%d of 60 rows", len(got))
		}
	})
}

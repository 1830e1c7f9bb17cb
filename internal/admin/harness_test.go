package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/admin"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/internal/token"
)

// world is the slice over a real store. Who asks is named by the test: a header
// picks one of the actors.
type world struct {
	t      testing.TB
	slice  *admin.Slice
	store  *store.Store
	clock  *storetest.Clock
	mux    *http.ServeMux
	actors map[string]keystone.Actor
	users  map[string]keystone.User
}

const (
	issuer   = "https://id.example.com"
	longPass = "a long enough passphrase"
)

func eachDB(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) { f(t, newWorld(t, s, clock)) })
}

func newWorld(t testing.TB, s *store.Store, clock *storetest.Clock) *world {
	t.Helper()
	h, err := password.New(password.Options{Params: password.Params{Memory: 64, Time: 1, Lanes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := password.NewPolicy("modern", password.Overrides{AppName: "Keystone"})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := token.NewRing(context.Background(), token.RingOptions{Store: s, Master: storetest.Master, Algorithm: keystone.ES256, MaxAge: 5 * time.Minute, Rotate: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: s, clock: clock, mux: http.NewServeMux(), actors: map[string]keystone.Actor{}, users: map[string]keystone.User{}}
	w.slice = &admin.Slice{
		Store: s, Ring: ring, Proof: &proof.Checker{Store: s, Hasher: h}, Hasher: h, Policy: policy, Issuer: issuer,
		Settings: func() []admin.Setting { return []admin.Setting{{Name: "PORT", Value: "8000", Source: "default"}} },
	}
	api := httpio.NewAPI("Test", "1")
	for _, rt := range w.slice.Routes() {
		if err := rt.Check(); err != nil {
			t.Fatal(err)
		}
		w.mux.Handle(rt.Pattern(), w.acts(api.Handler(rt)))
	}
	w.person("admin", keystone.BuiltInScopeNames(), keystone.RoleAdmin, keystone.RoleUser)
	w.person("user", nil, keystone.RoleUser)
	w.person("other", nil, keystone.RoleUser)
	w.actors["support"] = w.withScopes("support", keystone.UsersRead)
	w.actors["writer"] = w.withScopes("writer", keystone.UsersRead, keystone.UsersWrite)
	w.actors["service"] = keystone.Actor{Kind: keystone.ActorClient, ID: keystone.NewID(clock.Now()), Name: "service", Scopes: []string{keystone.ClientsRead, keystone.UsersRead}}
	return w
}

// person makes a user and an actor who is that user.
func (w *world) person(name string, scopes []string, roles ...string) {
	w.t.Helper()
	u, err := w.store.CreateUser(context.Background(), keystone.Operator("test"), keystone.User{Username: name, Email: name + "@example.com", Enabled: true, Roles: roles}, "hash")
	if err != nil {
		w.t.Fatal(err)
	}
	w.users[name] = u
	w.actors[name] = keystone.Actor{Kind: keystone.ActorUser, ID: u.ID, Name: name, ClientID: keystone.FirstPartyClientID, FirstParty: true, Scopes: keystone.SortedSet(scopes)}
}

// withScopes makes a user whose role carries the scopes.
func (w *world) withScopes(name string, scopes ...string) keystone.Actor {
	w.t.Helper()
	if _, err := w.store.CreateRole(context.Background(), keystone.Operator("test"), keystone.Role{Name: name, Scopes: scopes}); err != nil {
		w.t.Fatal(err)
	}
	w.person(name, scopes, name)
	return w.actors[name]
}

// acts has the actor act whom the test names. Whom a route lets in is the whole server's
// to say (TestPermissions).
func (w *world) acts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		a := w.actors[r.Header.Get("X-Test-Actor")]
		a.RequestID, a.Source = "request-of-the-test", "192.0.2.1"
		next.ServeHTTP(rw, r.WithContext(httpio.WithExchange(r.Context(), &httpio.Exchange{Actor: a})))
	})
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// call sends a request; headers are pairs. body is a string as it is, anything
// else as JSON.
func (w *world) call(actor, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	var text string
	switch b := body.(type) {
	case nil:
	case string:
		text = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		text = string(raw)
	}
	r := httptest.NewRequest(method, path, bytes.NewBufferString(text))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Test-Actor", actor)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header(), text: rec.Body.String()}
	if rec.Body.Len() > 0 && strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.body); err != nil {
			w.t.Errorf("%s %s: %v in %s", method, path, err, rec.Body)
		}
	}
	return a
}

// want calls as admin and ends the test where the status is another.
func (w *world) want(status int, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	a := w.call("admin", method, path, body, headers...)
	if a.status != status {
		w.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.status, status, a.text)
	}
	return a
}

// fields are the fields that an error names.
func (a answer) fields() []string {
	named, _ := a.body["fields"].(map[string]any)
	return slices.Sorted(maps.Keys(named))
}

// str is a text of the body.
func (a answer) str(name string) string { s, _ := a.body[name].(string); return s }

// items are the items of a list.
func (a answer) items() (items []map[string]any) {
	list, _ := a.body["items"].([]any)
	for _, item := range list {
		m, _ := item.(map[string]any)
		items = append(items, m)
	}
	return items
}

// obj is a JSON object.
type obj = map[string]any

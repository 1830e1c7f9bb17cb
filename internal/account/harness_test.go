package account_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/account"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/proof"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/web"
)

// world is the slice over a real store. Who asks is named by the test: a header
// picks one of the actors.
type world struct {
	t      testing.TB
	slice  *account.Slice
	store  *store.Store
	clock  *storetest.Clock
	mux    *http.ServeMux
	actors map[string]keystone.Actor
}

const (
	issuer  = "https://id.example.com"
	right   = "the right password of them"
	another = "an entirely different one"
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
	pages, err := web.New(web.Options{AppName: "Keystone"})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: s, clock: clock, mux: http.NewServeMux(), actors: map[string]keystone.Actor{}}
	w.slice = &account.Slice{
		Store: s, Proof: &proof.Checker{Store: s, Hasher: h}, Hasher: h, Policy: policy, Pages: pages, Issuer: issuer,
		RegistrationOpen: true, ConfirmLimit: func(context.Context) error { return nil }, RenameLimit: func(context.Context) error { return nil },
		Denied: func(ctx context.Context, by keystone.Actor, reason string) {
			if err := s.Record(ctx, by, keystone.AuditEvent{Action: keystone.ActAccessDenied, TargetKind: "server", Detail: map[string]any{"reason": reason}}); err != nil {
				t.Error(err)
			}
		},
	}
	api := httpio.NewAPI("Test", "1")
	for _, rt := range w.slice.Routes() {
		if err := rt.Check(); err != nil {
			t.Fatal(err)
		}
		w.mux.Handle(rt.Pattern(), w.acts(rt, api.Handler(rt)))
	}
	return w
}

// person makes a user with a session, and an actor who is that user in it.
func (w *world) person(name string, roles ...string) keystone.Actor {
	w.t.Helper()
	ctx := context.Background()
	hash, err := w.slice.Hasher.Hash(ctx, right)
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := w.store.CreateUser(ctx, keystone.Operator("test"), keystone.User{Username: name, Email: name + "@example.com", Enabled: true, Roles: roles}, hash)
	if err != nil {
		w.t.Fatal(err)
	}
	w.actors[name] = keystone.Actor{Kind: keystone.ActorUser, ID: u.ID, Name: name, ClientID: keystone.FirstPartyClientID, FirstParty: true, SessionID: w.signIn(u.ID)}
	return w.actors[name]
}

// signIn starts a session of the user.
func (w *world) signIn(userID string) string {
	w.t.Helper()
	ctx := context.Background()
	w.clock.Move(time.Millisecond)
	now := w.clock.Now()
	login, err := w.store.LoginByID(ctx, userID)
	if err != nil {
		w.t.Fatal(err)
	}
	ses := keystone.Session{ID: keystone.NewID(now), UserID: userID, ClientID: keystone.FirstPartyClientID, UserAgent: "test", CreatedAt: now, ExpiresAt: now.Add(48 * time.Hour), AMR: []string{"pwd"}}
	if ok, err := w.store.StartSession(ctx, keystone.Anonymous(), store.SignIn{Session: ses, Login: login}); err != nil || !ok {
		w.t.Fatal(ok, err)
	}
	return ses.ID
}

// alive reports whether a session goes on.
func (w *world) alive(id string) bool {
	w.t.Helper()
	ses, err := w.store.Session(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return ses.Alive(w.clock.Now())
}

// signsIn reports whether name and password are right.
func (w *world) signsIn(name, pass string) bool {
	w.t.Helper()
	by := keystone.Anonymous()
	by.Source = "198.51.100.9"
	p, err := w.slice.Proof.Password(context.Background(), by, name, "", pass)
	if err == nil {
		err = w.slice.Proof.Done(context.Background(), p)
	}
	return err == nil
}

// acts has the actor act whom the test names; nobody, where the route asks for none. Whom a
// route lets in is the whole server's to say (TestPermissions).
func (w *world) acts(rt httpio.Route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		a, known := w.actors[r.Header.Get("X-Test-Actor")]
		if !known || rt.Access == httpio.Public {
			a = keystone.Anonymous()
		}
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

// call sends a request; headers are pairs. A string is sent as it is, url.Values
// as a form, anything else as JSON.
func (w *world) call(actor, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	var text io.Reader = http.NoBody
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case string:
		text = strings.NewReader(b)
	case url.Values:
		text, contentType = strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		text = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(method, path, text)
	if body != nil {
		r.Header.Set("Content-Type", contentType)
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

// want calls and ends the test where the status is another.
func (w *world) want(status int, actor, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	a := w.call(actor, method, path, body, headers...)
	if a.status != status {
		w.t.Fatalf("%s: %s %s: %d, want %d: %s", actor, method, path, a.status, status, a.text)
	}
	return a
}

// fields are the fields that an error names.
func (a answer) fields() string {
	named, _ := a.body["fields"].(map[string]any)
	return strings.Join(slices.Sorted(maps.Keys(named)), " ")
}

// str is a text of the body.
func (a answer) str(name string) string { s, _ := a.body[name].(string); return s }

// items are the items of a list.
func (a answer) items() (items []obj) {
	list, _ := a.body["items"].([]any)
	for _, item := range list {
		m, _ := item.(obj)
		items = append(items, m)
	}
	return items
}

// obj is a JSON object.
type obj = map[string]any

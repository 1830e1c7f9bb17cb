package keystone_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/keystonetest"
)

// stage is a server with what a script has made and captured.
type stage struct {
	server *keystonetest.Server
	http   *http.Client
	url    string
	vars   map[string]string
}

func newStage(t *testing.T, db, script string) *stage {
	t.Helper()
	settings := map[string]string{}
	for line := range strings.Lines(script) {
		if name, value, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "@setting ")), "="); ok && strings.HasPrefix(line, "@setting ") {
			settings[name] = value
		}
	}
	options := []keystonetest.Option{keystonetest.WithSettings(settings)}
	if db == "postgres" {
		options = append(options, keystonetest.WithPostgres(storetest.PostgresURL(t)))
	}
	s := keystonetest.Start(t, options...)
	client := s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &stage{server: s, http: client, url: s.URL, vars: map[string]string{"issuer": s.Issuer}}
}

// direct carries out one @ line.
func (st *stage) direct(t *testing.T, line int, words []string) {
	t.Helper()
	s := st.server
	switch words[0] {
	case "setting": // newStage has read it
	case "registration":
		o := options(words[2:])
		var made struct {
			Token string `json:"registration_token"`
		}
		uses, _ := strconv.Atoi(o["uses"])
		body := map[string]any{"name": words[1], "uses": max(uses, 1), "scopes": list(o["scopes"]), "grants": list(o["grants"]), "audiences": list(o["audiences"]), "redirect_hosts": list(o["hosts"])}
		if status := s.Call(http.MethodPost, "/api/v1/admin/registration-tokens", s.Admin(), body, &made); status != http.StatusCreated {
			t.Fatalf("line %d: a registration token: %d", line, status)
		}
		st.vars[words[1]] = made.Token
	case "clock":
		s.Clock.Move(duration(t, words[1]))
	case "scope":
		s.CreateScope(words[1])
	case "role":
		s.CreateRole(words[1], list(words[2])...)
	case "user":
		u := s.CreateUser(words[1], list(options(words[2:])["roles"])...)
		st.vars[words[1]+".id"], st.vars[words[1]+".password"] = u.ID, u.Password
	case "client":
		o := options(words[3:])
		c := s.CreateClient(keystone.Client{
			Name: words[1], Kind: keystone.ClientKind(words[2]), Scopes: list(o["scopes"]), Audiences: list(o["audiences"]),
			Grants: list(o["grants"]), RedirectURIs: list(o["redirect"]), AccessTokenFormat: o["format"], FirstParty: o["first_party"] == "true",
			ClientSettings: keystone.ClientSettings{IntrospectionAudiences: list(o["introspects"])},
		})
		st.vars[words[1]+".id"], st.vars[words[1]+".secret"] = c.ID, c.Secret
	case "enable", "disable":
		path := map[string]string{"user": "/api/v1/users/", "client": "/api/v1/admin/clients/"}[words[1]]
		st.admin(t, line, http.MethodPatch, path+st.value(t, words[2]+".id"), map[string]any{"enabled": words[0] == "enable"})
	case "roles":
		st.admin(t, line, http.MethodPut, "/api/v1/users/"+st.value(t, words[1]+".id")+"/roles", map[string]any{"roles": list(words[2])})
	default:
		t.Fatalf("line %d: no directive @%s", line, strings.Join(words, " "))
	}
}

// admin makes a change through the API, as an administrator.
func (st *stage) admin(t *testing.T, line int, method, path string, body any) {
	t.Helper()
	if status := st.server.Call(method, path, st.server.Admin(), body, nil); status != http.StatusOK {
		t.Fatalf("line %d: %s %s answered %d", line, method, path, status)
	}
}

package keystone_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestConditionalReads is RFC 9110 sections 13.1.2 and 13.2.1 for every answer that has an
// ETag: who has it gets 304, who has not or may not gets what they would get anyway.
func TestConditionalReads(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateScope("orders:read")
		s.CreateRole("reader", "orders:read")
		app := s.CreateClient(keystone.Client{Scopes: []string{"orders:read", keystone.UsersRead}})
		jane, boss := s.CreateUser("jane", "reader"), s.CreateUser("boss", keystone.RoleAdmin)
		him, her := s.SignIn(boss).AccessToken, s.SignIn(jane).AccessToken
		const me, roles, scopes = "/api/v1/users/me", "/api/v1/admin/roles/", "/api/v1/admin/scopes/"
		janes, apps := "/api/v1/users/"+jane.ID, "/api/v1/admin/clients/"+app.ID
		tags := map[string]string{}
		read := func(path, has string) answer {
			t.Helper()
			token := him
			if path == me {
				token = her
			}
			a := as(s, token)
			if has != "" {
				a = a.with("If-None-Match", has)
			}
			return a.send(t, "GET", path, nil)
		}
		unchanged := func(what string, got answer, tag string) {
			t.Helper()
			if got.status != http.StatusNotModified || got.body != "" || got.header.Get("ETag") != tag || got.header.Get("Cache-Control") == "" || got.header.Get("X-Request-Id") == "" || got.header.Get("Content-Type") != "" {
				t.Errorf("%s: %d %v %s", what, got.status, got.header, got.body)
			}
		}
		all := []string{me, janes, roles + "reader", scopes + "orders:read", apps}
		for _, path := range all {
			tag := read(path, "").header.Get("ETag")
			tags[path] = tag
			for _, has := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
				unchanged(path+" "+has, read(path, has), tag)
			}
			for _, has := range []string{`"x"`, strings.Trim(tag, `"`), `"` + tag, "x, *"} {
				if got := read(path, has); got.status != 200 || got.header.Get("ETag") != tag || got.body == "" {
					t.Errorf("%s %s: %d %s", path, has, got.status, got.body)
				}
			}
			// Nobody learns by it what they may not read.
			for _, has := range []string{tag, "*"} {
				as(s, "").with("If-None-Match", has).send(t, "GET", path, nil).wants(t, 401, "%s without a token", path)
				as(s, "not-a-token").with("If-None-Match", has).send(t, "GET", path, nil).wants(t, 401, "%s with rubbish", path)
				if path != me {
					as(s, her).with("If-None-Match", has).send(t, "GET", path, nil).wants(t, 403, "%s as somebody else", path)
				}
			}
		}
		for _, path := range []string{"/api/v1/users/" + keystone.NewID(s.Clock.Now()), roles + "nobody", scopes + "no:scope"} {
			read(path, "*").wants(t, 404, "what is not there")
		}
		read("/api/v1/users", "*").wants(t, 200, "a list has no tag")
		as(s, him).with("If-None-Match", "*").json(t, "PATCH", janes, m{"first_name": "J"}).wants(t, 200, "a change")

		// Whatever the answer shows may change without the version: a tag that stays must
		// mean an answer that stays.
		changed := func(what string, paths ...string) {
			t.Helper()
			s.Clock.Move(2 * time.Second) // what is read often is a second old
			for _, path := range all {
				got := read(path, tags[path])
				if is := strings.Contains(" "+strings.Join(paths, " ")+" ", " "+path+" "); is != (got.status == 200) || is == (got.header.Get("ETag") == tags[path]) {
					t.Errorf("%s: %s answers %d %s", what, path, got.status, got.body)
				}
				tags[path] = got.header.Get("ETag")
			}
		}
		changed("the change", me, janes)
		s.SignIn(jane)
		changed("a sign-in", me, janes)
		as(s, him).json(t, "PATCH", roles+"reader", m{"name": "looker"}).wants(t, 200, "rename")
		all[2], tags[roles+"looker"] = roles+"looker", tags[roles+"reader"]
		changed("another name for the role", me, janes, roles+"looker")
		as(s, him).json(t, "PATCH", scopes+"orders:read", m{"description": "See orders"}).wants(t, 200, "describe")
		changed("words for the scope", scopes+"orders:read")
		before := map[string]string{roles + "looker": read(roles+"looker", "").header.Get("ETag"), apps: read(apps, "").header.Get("ETag")}
		as(s, him).send(t, "DELETE", scopes+"orders:read", nil).wants(t, 204, "delete the scope")
		for path, tag := range before {
			as(s, him).with("If-Match", tag).json(t, "PATCH", path, m{"name": "x"}).wants(t, 412, "%s had the scope when it was read", path)
		}
		all = append(all[:3:3], apps)
		changed("a scope less", roles+"looker", apps)

		// The tag of a change is that of the reading, and old tags name a version still.
		tag := as(s, him).json(t, "PATCH", janes, m{"last_name": "Doe"}).header.Get("ETag")
		unchanged("the tag of a change", read(janes, tag), tag)
		version, _, _ := strings.Cut(tag, "-")
		as(s, him).with("If-Match", version+`"`).json(t, "PATCH", janes, m{"last_name": "Roe"}).wants(t, 200, "a version alone")
		as(s, him).with("If-Match", tag).json(t, "PATCH", janes, m{"last_name": "Poe"}).wants(t, 412, "an old tag")
		tag = read(janes, "").header.Get("ETag")
		s.Clock.Move(time.Minute)
		s.SignIn(jane)
		as(s, him).with("If-Match", tag).json(t, "PATCH", janes, m{"last_name": "Poe"}).wants(t, 200, "who signed in meanwhile has changed nothing")

		// So has who changed nothing, and who takes away a role changes those who have it.
		tag = read(janes, "").header.Get("ETag")
		as(s, him).json(t, "PATCH", janes, m{"last_name": "Poe", "enabled": true}).wants(t, 200, "what is so already")
		as(s, him).json(t, "PUT", janes+"/roles", m{"roles": read(janes, "").fields["roles"]}).wants(t, 200, "the roles that she has")
		if got := read(janes, "").header.Get("ETag"); got != tag {
			t.Errorf("nothing was changed, and %s became %s", tag, got)
		}
		reader := as(s, him).with("If-Match", `"none", `+tag)
		reader.json(t, "PATCH", janes, m{"first_name": "K"}).wants(t, 200, "one tag of two")
		tag = read(janes, "").header.Get("ETag")
		as(s, him).send(t, "DELETE", roles+"looker", nil).wants(t, 204, "delete the role")
		as(s, him).with("If-Match", tag).json(t, "PATCH", janes, m{"first_name": "L"}).wants(t, 412, "who has a role less than was read")

		as(s, "").form(t, "/oauth2/revoke", "token", her, "client_id", keystone.FirstPartyClientID).wants(t, 200, "revoke")
		s.Clock.Move(2 * time.Second)
		read(me, "*").wants(t, 401, "a revoked token")
	})
}

// TestConditionalReadsOfDocuments: what everybody may read and keep, too.
func TestConditionalReadsOfDocuments(t *testing.T) {
	s := keystonetest.Start(t)
	for _, path := range []string{"/oauth2/jwks", "/openapi.json", "/.well-known/openid-configuration", "/.well-known/oauth-protected-resource", "/static/keystone.css"} {
		tag := as(s, "").send(t, "GET", path, nil).header.Get("ETag")
		for _, method := range []string{"GET", "HEAD"} {
			for has, want := range map[string]int{tag: 304, "W/" + tag: 304, `"x", W/"y" , ` + tag: 304, "*": 304, `"x"`: 200, tag[1:]: 200} {
				got := as(s, "").with("If-None-Match", has).send(t, method, path, nil)
				if got.status != want || got.header.Get("ETag") != tag || !strings.HasPrefix(got.header.Get("Cache-Control"), "public") || (want == 304 || method == "HEAD") != (got.body == "") {
					t.Errorf("%s %s: %d %v %s", method, path, got.status, got.header, fmt.Sprintf("%.80s", got.body))
				}
			}
		}
	}
}

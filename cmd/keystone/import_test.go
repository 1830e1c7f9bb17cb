package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const importSecret = "Zk3vJq8Yt1Lw6Rb0Xc5Hn2Ms9Pd4Gf7Ua-_KeWiToQy"

const importText = `{
	"scopes": [{"name": "orders:read", "description": "Read orders"}],
	"roles": [{"name": "reader", "scopes": ["orders:read"]}],
	"clients": [
		{"client_id": "01900000-0000-7000-8000-00000000abcd", "client_secret": "` + importSecret + `", "name": "Shop", "kind": "web",
		 "redirect_uris": ["https://shop.example.com/cb"], "scopes": ["openid", "orders:read"]},
		{"name": "Worker", "kind": "service", "scopes": ["orders:read"]}
	],
	"users": [{"username": "ida", "email": "ida@example.com", "email_verified": true, "first_name": "Ida", "roles": ["reader", "user"], "password": "rather long words for ida"},
		{"username": "olu", "email": "olu@example.com"}]
}`

func (m *machine) file(name, text string) string {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// results maps what became of each entry to its kind and name.
func results(list []map[string]any) map[string]string {
	out := map[string]string{}
	for _, one := range list {
		out[text(one["kind"])+" "+text(one["name"])] = text(one["result"])
	}
	return out
}

// TestImport: a file is brought in whole or not at all, twice is once, what is given
// later is changed and what is left out stays.
func TestImport(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		file := m.file("import.json", importText)
		// All or nothing: the last entry is wrong.
		broken := strings.Replace(importText, `"olu@example.com"}`, `"olu@example.com", "roles": ["nosuch"]}`, 1)
		m.refused(`user "olu"`, "import", m.file("broken.json", broken))
		if clients := m.items("client", "list"); len(clients) != 1 {
			t.Fatalf("a refused file left %v", clients)
		}
		made := m.items("import", file)
		if len(made) != 6 {
			t.Fatalf("%v", made)
		}
		for _, one := range made {
			if one["result"] != "created" {
				t.Errorf("%v", one)
			}
			_, secret := one["client_secret"]
			_, password := one["password"]
			if secret != (one["name"] == "Worker") || password != (one["name"] == "olu") {
				t.Errorf("shown: %v", one)
			}
		}
		for what, result := range results(m.items("import", file)) {
			if result != "unchanged" {
				t.Errorf("%s is %s the second time", what, result)
			}
		}
		before := len(m.items("audit", "list", "--limit", "200"))
		changed := `{"clients": [{"name": "Shop", "kind": "web", "client_secret": "` + strings.ToLower(importSecret) + `", "require_par": true}],
			"users": [{"username": "ida", "last_name": "Ito", "password": "other long words for ida"}]}`
		got := results(m.items("import", m.file("changed.json", changed)))
		if got["client Shop"] != "changed" || got["user ida"] != "changed" {
			t.Errorf("%v", got)
		}
		shop := m.object("client", "show", "01900000-0000-7000-8000-00000000abcd")
		if shop["require_par"] != true || len(shop["redirect_uris"].([]any)) != 1 {
			t.Errorf("%v", shop)
		}
		if secrets := m.items("client", "secret", "list", text(shop["id"])); len(secrets) != 1 || secrets[0]["hint"] != importSecret[len(importSecret)-4:] {
			t.Errorf("%v", secrets)
		}
		if after := len(m.items("audit", "list", "--limit", "200")); after != before+2 {
			t.Errorf("two changes made %d audit rows", after-before)
		}
		for _, event := range m.items("audit", "list", "--limit", "2") {
			if event["actor_kind"] != "operator" {
				t.Errorf("%v", event)
			}
		}

		// Where there has been an administrator, one has to say so.
		m.object("user", "create", "--username", "root", "--email", "root@example.com", "--role", "admin")
		m.refused("--yes", "import", file)
		if list := m.items("import", "--yes", file); len(list) != 6 {
			t.Errorf("%v", list)
		}
	})
}

// TestImportRefuses: what is misspelt, weak or taken.
func TestImportRefuses(t *testing.T) {
	m := newMachine(t, "")
	client := func(fields string) string {
		return `{"clients": [{"name": "Shop", "kind": "web", ` + fields + `}]}`
	}
	user := text(m.object("user", "create", "--username", "bob", "--email", "bob@example.com")["id"])
	for _, test := range []struct{ name, file, want string }{
		{"unknown field", client(`"redirect_uri": "https://shop.example.com/cb"`), "redirect_uri"},
		{"unknown part", `{"groups": []}`, "groups"},
		{"two documents", `{} {}`, "follows"},
		{"half of it", "{\n", "line 2: it ends too early"},
		{"nothing", "", "there is nothing in it"},
		{"no JSON", "{\n\"users\": [,]}", "line 2: this is no JSON"},
		{"a list", `[]`, "the document must be an object"},
		{"another type", "{\n\"users\": [{\"username\": \"eve\", \"enabled\": \"yes\"}]}", "must be true or false, and is string"},
		{"another type of a client", `{"clients": [{"name": 1}]}`, "client number 1: name must be a text"},
		{"misspelt of a named client", client(`"kinds": 1`), `client "Shop": there is no field "kinds"`},
		{"a name twice", "{\n\"roles\": [{\"name\": \"reader\", \"scopes\": [\"app:a\"],\n\"scopes\": [\"users:read\"]}]}", "line 3: A name occurs twice"},
		{"a list twice", "{\"users\": [],\n\"users\": []}", "line 2: A name occurs twice"},
		{"a name of a client twice", "{\"clients\": [{\"name\": \"Shop\", \"kind\": \"web\",\n\"kind\": \"spa\"}]}", "line 2: A name occurs twice"},
		{"a name in another case", "{\n\"Users\": [{\"USERNAME\": \"eve\", \"email\": \"eve@example.com\"}]}", "line 2: "},
		{"a name of a user in another case", "{\"users\": [\n{\"USERNAME\": \"eve\", \"email\": \"eve@example.com\"}]}", "line 2: users.USERNAME: There is no such field."},
		{"a name of a client in another case", client(`"Redirect_URIs": ["https://shop.example.com/cb"]`), `client "Shop": Redirect_URIs: There is no such field.`},
		{"broken UTF-8", "{\"users\":\n[{\"username\": \"eve\", \"email\": \"eve@example.com\", \"first_name\": \"a\xff\"}]}", "line 2: A text"},
		{"half a surrogate pair", `{"users": [{"username": "eve", "email": "eve@example.com", "first_name": "a\ud800"}]}`, "line 1: A text"},
		{"NUL", `{"roles": [{"name": "reader", "description": "a\u0000"}]}`, "line 1: A text"},
		{"broken UTF-8 of a client", "{\"clients\":\n[{\"name\": \"Sh\xffop\", \"kind\": \"web\"}]}", "line 2: A text"},
		{"null for a list", "{\"roles\": [{\"name\": \"reader\",\n\"scopes\": null}]}", "line 2: roles.scopes: Send a list."},
		{"null for a list of a client", client(`"redirect_uris": null`), `client "Shop": redirect_uris: Send a list.`},
		{"short secret", client(`"client_secret": "Zk3vJq8Yt1Lw6Rb0Xc5Hn2Ms9Pd4Gf7"`), "32 to 200 random"},
		{"dull secret", client(`"client_secret": "secretsecretsecretsecretsecretsecret"`), "32 to 200 random"},
		{"words as secret", client(`"client_secret": "The quick brown fox jumps over the lazy dog"`), "32 to 200 random"},
		{"secret of a client with another method", `{"clients": [{"name": "Keyed", "kind": "service", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://keyed.example/jwks", "client_secret": "` + importSecret + `"}]}`, "another method"},
		{"secret of a public client", `{"clients": [{"name": "Page", "kind": "spa", "client_secret": "` + importSecret + `"}]}`, "public client"},
		{"id that is none", client(`"client_id": "shop"`), "client_id"},
		{"id of a user", client(`"client_id": "` + user + `"`), "client_id"},
		{"built-in client", `{"clients": [{"client_id": "keystone", "name": "Mine", "kind": "spa"}]}`, "built in"},
		{"weak password", `{"users": [{"username": "eve", "email": "eve@example.com", "password": "short"}]}`, "12 characters"},
		{"built-in role", `{"roles": [{"name": "admin", "scopes": []}]}`, "built in"},
	} {
		t.Run(test.name, func(t *testing.T) {
			at := *m
			at.t = t
			at.refused(test.want, "import", at.file("refused.json", test.file))
		})
	}
	m.ok("import", "--yes", m.file("marked.json", "\xef\xbb\xbf{}"))
	m.refusedWith("standard input, line 1: there is nothing", "", "import", "-")
	m.refused("no such file", "import", filepath.Join(m.dir, "nosuch.json"))
	m.refusedWith("1 MiB", strings.Repeat(" ", 1<<20)+"{}", "import", "-")
	if clients := m.items("client", "list"); len(clients) != 1 {
		t.Errorf("%v", clients)
	}
}

// TestImportPublishesKeys: the key of an algorithm is published when a client
// registers it, by a file too.
func TestImportPublishesKeys(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		m.ok("import", m.file("clients.json", `{"clients": [{"name": "Signed", "kind": "web", "redirect_uris": ["https://app.example/cb"], "id_token_signed_response_alg": "EdDSA"}]}`))
		algs := map[string]bool{}
		for _, k := range m.items("key", "list") {
			algs[text(k["alg"])] = true
		}
		if !algs["EdDSA"] {
			t.Errorf("keys: %v", algs)
		}
	})
}

// TestImportScopes: a client of which the file says no scopes gets those that the API gives
// it; an empty list says none.
func TestImportScopes(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		m.items("import", m.file("import.json", `{"clients": [
			{"name": "Silent", "kind": "web", "redirect_uris": ["https://a.example.com/cb"]},
			{"name": "None", "kind": "web", "redirect_uris": ["https://b.example.com/cb"], "scopes": []},
			{"name": "Service", "kind": "service"}]}`))
		for _, one := range m.items("client", "list") {
			want := map[string]string{"Silent": "[email offline_access openid profile]", "None": "[]", "Service": "[]"}[text(one["name"])]
			if got := fmt.Sprint(one["scopes"]); want != "" && got != want {
				t.Errorf("%v: %s, want %s", one["name"], got, want)
			}
		}
	})
}

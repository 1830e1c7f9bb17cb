package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestEveryCommand goes through a day of an operator. Each command runs with
// --json, and what it prints is one JSON document.
func TestEveryCommand(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		dayOfUsers(m)
		dayOfScopesAndRoles(m)
		dayOfClients(m)
		dayOfKeys(m)
		dayOfAudit(m)
		dayOfMessages(m)
		dayOfSettings(m)
		dayOfServing(m)
		for _, c := range leaves(root(&app{})) {
			if !m.ran.seen[c.CommandPath()] {
				t.Errorf("%s was not run with --json", c.CommandPath())
			}
		}
	})
}

func dayOfMessages(m *machine) {
	if done := m.items("import", "--yes", m.file("import.json", `{"scopes": [{"name": "imported:read"}]}`)); done[0]["result"] != "created" {
		m.t.Errorf("import: %v", done)
	}
	if list := m.items("outbox", "list", "--given-up"); len(list) != 0 {
		m.t.Errorf("messages: %v", list)
	}
	if r := m.object("outbox", "retry", "--given-up"); r["due"] != 0.0 {
		m.t.Errorf("%v", r)
	}
	m.object("outbox", "list")
	m.refused("There is no such message", "outbox", "retry", "nosuch")
}

func dayOfUsers(m *machine) {
	t := m.t
	if link := text(m.object("setup-link")["setup_link"]); !strings.HasPrefix(link, "http://127.0.0.1:8000/setup?token=ks_ot_") {
		t.Errorf("setup link %q", link)
	}
	jane := m.object("user", "create", "--username", "Jane", "--email", "jane@example.com", "--role", "admin")
	if p := text(jane["password"]); !regexp.MustCompile(`^([A-Za-z0-9]{5}-){4}[A-Za-z0-9]{5}$`).MatchString(p) {
		t.Errorf("generated password %q", p)
	}
	m.refused("administrator already", "setup-link")
	bob := m.objectWith("a rather long one for bob\n", "user", "create", "--username", "bob", "--email", "bob@example.com", "--first-name", "Bob", "--password-stdin")
	if _, shown := bob["password"]; shown {
		t.Error("a given password is shown")
	}
	if roles := bob["roles"].([]any); len(roles) != 1 || roles[0] != "user" {
		t.Errorf("roles of bob: %v", roles)
	}
	m.refused("username: This username is taken.", "user", "create", "--username", "BOB", "--email", "other@example.com")
	m.refusedWith("password: Use at least 12 characters.", "short\n", "user", "create", "--username", "eve", "--email", "eve@example.com", "--password-stdin")
	m.refusedWith("no password was given", "\n", "user", "password", "bob", "--password-stdin")
	m.refused("email: ", "user", "create", "--username", "eve", "--email", "nonsense")
	m.refused("Name roles that exist", "user", "create", "--username", "eve", "--email", "eve@example.com", "--role", "nosuch")
	m.refused("There is no such user", "user", "show", "eve")

	first := m.object("user", "list", "--limit", "1")
	if len(first["items"].([]any)) != 1 || text(first["next_cursor"]) == "" {
		t.Fatalf("first page: %v", first)
	}
	second := m.object("user", "list", "--limit", "1", "--cursor", text(first["next_cursor"]))
	if name := second["items"].([]any)[0].(map[string]any)["username"]; name != "bob" || second["next_cursor"] != nil {
		t.Errorf("second page: %v", second)
	}
	if found := m.items("user", "list", "--search", "JAN"); len(found) != 1 || found[0]["username"] != "Jane" {
		t.Errorf("search: %v", found)
	}
	m.usage("--limit is 1 to 200", "user", "list", "--limit", "201")
	m.usage("--cursor", "user", "list", "--cursor", "%%")

	if u := m.object("user", "update", "bob", "--last-name", "Example", "--first-name", ""); u["last_name"] != "Example" || u["first_name"] != "" {
		t.Errorf("update: %v", u)
	}
	m.usage("at least one of the flags", "user", "update", "bob")
	if u := m.object("user", "disable", "bob"); u["enabled"] != false {
		t.Errorf("disable: %v", u)
	}
	m.refused("nobody who can administer", "user", "disable", "jane")
	if u := m.object("user", "enable", "bob@example.com"); u["enabled"] != true {
		t.Errorf("enable: %v", u)
	}
	if u := m.object("user", "roles", text(bob["id"]), "--add", "admin"); len(u["roles"].([]any)) != 2 {
		t.Errorf("roles --add: %v", u)
	}
	if u := m.object("user", "roles", "bob", "--remove", "admin"); len(u["roles"].([]any)) != 1 {
		t.Errorf("roles --remove: %v", u)
	}
	m.refused("nobody who can administer", "user", "roles", "jane", "--clear")
	m.usage("none of the others can be", "user", "roles", "bob", "--set", "user", "--add", "admin")
	m.object("user", "unlock", "bob")
	if u := m.object("user", "password", "bob"); text(u["password"]) == "" {
		t.Errorf("password: %v", u)
	}
	m.object("user", "create", "--username", "gone", "--email", "gone@example.com", "--disabled")
	if u := m.object("user", "show", "gone"); u["enabled"] != false || u["last_login"] != nil {
		t.Errorf("show: %v", u)
	}
	m.object("user", "delete", "gone")
	m.refused("There is no such user", "user", "delete", "gone")
	m.refused("nobody who can administer", "user", "delete", "jane")
}

func dayOfScopesAndRoles(m *machine) {
	t := m.t
	m.object("scope", "create", "orders:read", "--description", "Read orders")
	m.object("scope", "create", "orders:write")
	m.refused("name: This name is taken.", "scope", "create", "orders:read")
	m.refused("name: ", "scope", "create", "two words")
	if s := m.object("scope", "update", "orders:write", "--description", "Change <orders> & more"); s["description"] != "Change <orders> & more" {
		t.Errorf("scope update: %v", s)
	}
	m.refused("built in", "scope", "delete", "users:read")
	m.items("scope", "list")

	if r := m.object("role", "create", "clerk", "--scope", "orders:read", "--scope", "orders:write", "--description", "Sells"); len(r["scopes"].([]any)) != 2 {
		t.Errorf("role create: %v", r)
	}
	m.refused("scopes: Name scopes that exist", "role", "create", "x", "--scope", "nosuch")
	m.refused("built in", "role", "delete", "admin")
	m.refused("There is no such role", "role", "show", "nosuch")
	m.object("role", "update", "clerk", "--name", "seller")
	if r := m.object("role", "scopes", "seller", "--set", "orders:read"); len(r["scopes"].([]any)) != 1 {
		t.Errorf("role scopes: %v", r)
	}
	if r := m.object("role", "scopes", "seller", "--add", "orders:write", "--remove", "orders:read"); r["scopes"].([]any)[0] != "orders:write" {
		t.Errorf("role scopes: %v", r)
	}
	if r := m.object("role", "show", "seller"); r["description"] != "Sells" {
		t.Errorf("role show: %v", r)
	}
	if list := m.items("role", "list"); len(list) != 3 {
		t.Errorf("roles: %v", list)
	}
	m.object("scope", "delete", "orders:write")
	if r := m.object("role", "scopes", "seller"); len(r["scopes"].([]any)) != 0 {
		t.Errorf("a deleted scope stays in its role: %v", r)
	}
	m.object("role", "delete", "seller")
}

func dayOfClients(m *machine) {
	t := m.t
	c := m.object("client", "create", "--name", "Billing", "--kind", "service", "--scope", "orders:read", "--audience", "https://api.example.com")
	id := text(c["client_id"])
	if !strings.HasPrefix(text(c["client_secret"]), "ks_cs_") || id == "" {
		t.Fatalf("client create: %v", c)
	}
	web := m.object("client", "create", "--name", "Shop", "--kind", "spa", "--redirect-uri", "https://shop.example.com/cb", "--access-token-ttl", "5m")
	if got := fmt.Sprint(web["scopes"]); got != "[email offline_access openid profile]" {
		t.Errorf("scopes of a client for people of which nothing was said: %s", got)
	}
	for _, args := range [][]string{{"--kind", "spa", "--scope", ""}, {"--kind", "service"}} {
		c := m.object(append([]string{"client", "create", "--name", "Bare"}, args...)...)
		if len(c["scopes"].([]any)) != 0 {
			t.Errorf("%v: %v", args, c["scopes"])
		}
		m.ok("client", "delete", c["client_id"].(string))
	}
	if _, has := web["client_secret"]; has || web["access_token_ttl_seconds"] != 300.0 {
		t.Errorf("a public client: %v", web)
	}
	m.refused("kind: ", "client", "create", "--name", "X", "--kind", "robot")
	m.refused("redirect_uris: ", "client", "create", "--name", "X", "--kind", "spa", "--redirect-uri", "http://evil.example/*")
	m.usage(`"kind" not set`, "client", "create", "--name", "X")
	if c := m.object("client", "update", id, "--introspection-audience", "stock"); len(c["introspection_audiences"].([]any)) != 1 || len(c["audiences"].([]any)) != 1 {
		t.Errorf("update: %v", c)
	}
	if c := m.object("client", "update", id, "--name", "Invoices", "--audience", "", "--access-token-format", "opaque"); c["name"] != "Invoices" || len(c["audiences"].([]any)) != 0 || len(c["scopes"].([]any)) != 1 {
		t.Errorf("client update: %v", c)
	}
	m.refused("built in", "client", "update", "keystone", "--name", "Mine")
	if c := m.object("client", "disable", id); c["enabled"] != false {
		t.Errorf("client disable: %v", c)
	}
	if c := m.object("client", "enable", id); c["enabled"] != true {
		t.Errorf("client enable: %v", c)
	}
	if c := m.object("client", "show", id); c["client_secret"] != nil {
		t.Errorf("client show shows a secret: %v", c)
	}
	if list := m.items("client", "list"); len(list) != 3 {
		t.Errorf("clients: %v", list)
	}
	if s := m.object("client", "secret", "rotate", id, "--overlap", "1h"); !strings.HasPrefix(text(s["client_secret"]), "ks_cs_") {
		t.Errorf("secret rotate: %v", s)
	}
	added, _ := m.object("client", "secret", "add", id, "--expires-in", "24h")["secret"].(map[string]any)
	if end, err := time.Parse(time.RFC3339, text(added["expires_at"])); err != nil || time.Until(end) < 23*time.Hour {
		t.Errorf("secret add: %v", added)
	}
	if list := m.items("client", "secret", "list", id); len(list) != 3 || list[0]["client_secret"] != nil {
		t.Errorf("secret list: %v", list)
	}
	m.object("client", "secret", "remove", id, text(added["id"]))
	m.refused("There is no such secret", "client", "secret", "remove", id, text(added["id"]))
	m.refused("has no secret", "client", "secret", "add", text(web["client_id"]))
	if c := m.object("client", "update", id, "--client-uri", "https://billing.example/", "--contact", "ops@billing.example"); c["client_uri"] != "https://billing.example/" {
		t.Errorf("about: %v", c)
	}
	initial := m.object("client", "registration-token", "create", "--name", "partners", "--uses", "3", "--scope", "openid", "--redirect-host", "partner.example")
	if !strings.HasPrefix(text(initial["registration_token"]), "ks_ia_") || initial["uses"] != 3.0 {
		t.Errorf("registration token: %v", initial)
	}
	m.refused("uses: ", "client", "registration-token", "create", "--name", "x", "--uses", "0")
	m.refused("scopes: Name scopes that exist", "client", "registration-token", "create", "--name", "x", "--scope", "nosuch")
	if list := m.items("client", "registration-token", "list"); len(list) != 1 || list[0]["registration_token"] != nil {
		t.Errorf("registration tokens: %v", list)
	}
	m.object("client", "registration-token", "revoke", text(initial["id"]))
	m.refused("There is no such registration token", "client", "registration-token", "revoke", text(initial["id"]))
	m.object("client", "delete", id)
	m.refused("There is no such client", "client", "show", id)
	m.refused("There is no such client", "client", "secret", "list", id)
}

func dayOfKeys(m *machine) {
	t := m.t
	if len(m.items("key", "list")) != 0 {
		t.Error("listing keys made one")
	}
	next := m.object("key", "rotate")
	if next["state"] != "next" || next["alg"] != "ES256" {
		t.Errorf("key rotate: %v", next)
	}
	m.refused("already published", "key", "rotate")
	keys := m.items("key", "list")
	if len(keys) != 2 || keys[0]["state"] != "current" || keys[1]["state"] != "next" {
		t.Fatalf("keys: %v", keys)
	}
	m.object("key", "revoke", text(keys[0]["kid"]))
	m.refused("There is no such key", "key", "revoke", text(keys[0]["kid"]))
	states := map[any]int{}
	for _, k := range m.items("key", "list") {
		states[k["state"]]++
	}
	if states["revoked"] != 1 || states["current"] != 1 {
		t.Errorf("after a revocation: %v", states)
	}
	m.with("MASTER_KEY=BASQlCr9o4v2pJqYbq5z1yFKhCIvJxjjT3XHn6VbAAs=").refused("does not open with this MASTER_KEY", "key", "rotate")
	hs256 := m.with("JWT_ALGORITHM=HS256", "JWT_SECRET_KEY=0f8c2e91b7d64a3359ae1c7702bd48f6")
	hs256.refused("JWT_SECRET_KEY", "key", "rotate", "--algorithm", "HS256")
	if next := hs256.object("key", "rotate"); next["state"] != "next" || next["alg"] != "ES256" {
		t.Errorf("key rotate of what signs ID tokens under HS256: %v", next)
	}
}

func dayOfAudit(m *machine) {
	t := m.t
	rows := m.items("audit", "list", "--action", "user.", "--target", "bob", "--limit", "200")
	if len(rows) < 6 || rows[len(rows)-1]["action"] != "user.created" {
		t.Errorf("audit of bob: %v", rows)
	}
	for _, row := range rows {
		if row["actor_kind"] != "operator" || text(row["actor_name"]) == "" {
			t.Errorf("who did it: %v", row)
		}
	}
	if rows := m.items("audit", "list", "--from", "1h", "--action", "key.revoked"); len(rows) != 1 {
		t.Errorf("audit of the last hour: %v", rows)
	}
	if rows := m.items("audit", "list", "--to", "2020-01-01"); len(rows) != 0 {
		t.Errorf("audit before there was Keystone: %v", rows)
	}
	m.refused("is it user.created?", "audit", "list", "--action", "user.create")
	m.usage("--from is not a time", "audit", "list", "--from", "yesterday")
	if r := m.object("audit", "verify"); r["ok"] != true || r["unsealed"].(float64) < 10 {
		t.Errorf("audit verify: %v", r)
	}
	m.refused("seal missing", "audit", "verify", "--expect", strings.Repeat("ab", 32))
}

func dayOfSettings(m *machine) {
	t := m.t
	if v := m.object("version"); v["version"] != "v0-test" {
		t.Errorf("version: %v", v)
	}
	if v := m.object("config", "check"); v["ok"] != true {
		t.Errorf("config check: %v", v)
	}
	if list := m.items("config", "show"); len(list) < 40 {
		t.Errorf("config show: %d settings", len(list))
	}
	steps := m.items("migrate", "--status")
	if len(steps) == 0 || steps[0]["applied"] != true {
		t.Errorf("migrate --status: %v", steps)
	}
	if left := m.items("migrate", "--dry-run"); len(left) != 0 {
		t.Errorf("migrate --dry-run: %v", left)
	}
	if done := m.items("migrate"); len(done) != 0 {
		t.Errorf("migrate: %v", done)
	}
	m.usage("none of the others can be", "migrate", "--status", "--dry-run")
}

// TestListsAreSearched: by how a name begins, page by page.
func TestListsAreSearched(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		for _, name := range []string{"Shop", "shopping", "Other"} {
			m.ok("client", "create", "--name", name, "--kind", "service")
		}
		m.ok("scope", "create", "orders:read")
		m.ok("role", "create", "clerk", "--scope", "orders:read")
		for _, test := range []struct {
			args []string
			want int
		}{
			{[]string{"client", "list", "--search", "SHOP"}, 2},
			{[]string{"client", "list", "--search", "shop", "--limit", "1"}, 1},
			{[]string{"client", "list", "--search", "%"}, 0},
			{[]string{"role", "list", "--search", "cl"}, 1},
			{[]string{"scope", "list", "--search", "orders:"}, 1},
			{[]string{"scope", "list", "--search", "ORDERS"}, 0},
		} {
			if got := m.items(test.args...); len(got) != test.want {
				t.Errorf("keystone %s: %d items, want %d", strings.Join(test.args, " "), len(got), test.want)
			}
		}
	})
}

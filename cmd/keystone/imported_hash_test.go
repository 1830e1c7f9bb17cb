package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestImportedHashes: people who come from another program keep their passwords,
// by both ways in; what cannot be verified is refused before anything is written.
func TestImportedHashes(t *testing.T) {
	eachDB(t, func(t *testing.T, m *machine) {
		m = m.with("RATE_LIMIT_LOGIN=off").onPort()
		const bcrypt = "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe"
		seventyTwo := strings.Repeat("a", 72)

		amy := m.objectWith(bcrypt+"\n", "user", "create", "--username", "amy", "--email", "amy@example.com", "--password-hash-stdin")
		if _, shown := amy["password"]; shown {
			t.Errorf("an imported hash shows a password: %v", amy)
		}
		m.object("user", "create", "--username", "bob", "--email", "bob@example.com")
		m.okWith("$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5\n", "user", "password", "bob", "--password-hash-stdin")
		m.ok("import", m.file("people.json", `{"users": [
			{"username": "carl", "email": "carl@example.com", "password_hash": "pbkdf2_sha256$10000$seasalt$p2Nf8SH5q1HFJUvFvVd4Nj71pVA5fI7cpL2WDbb86bc="},
			{"username": "dora", "email": "dora@example.com", "password_hash": "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"}]}`))

		for hash, why := range map[string]string{
			bcrypt[:len(bcrypt)-1]: "2b: it is damaged",
			"$2b$17$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe": "would cost more than is allowed",
			"5f4dcc3b5aa765d61d8327deb882cf99":                             "not one that is supported",
			"a rather long one in the clear":                               "it is damaged",
		} {
			m.refusedWith(why, hash, "user", "create", "--username", "eve", "--email", "eve@example.com", "--password-hash-stdin")
			out := m.run("", "import", m.file("eve.json", `{"users": [{"username": "eve", "email": "eve@example.com", "password_hash": "`+hash+`"}]}`))
			if out.code != 1 || !strings.Contains(out.err, why) || strings.Contains(out.err, hash) {
				t.Errorf("import of %q: %d %s", hash, out.code, out.err)
			}
		}
		m.refused("not both", "import", m.file("both.json", `{"users": [{"username": "eve", "email": "eve@example.com", "password": "a rather long one for eve", "password_hash": "`+bcrypt+`"}]}`))
		m.refused("There is no such user", "user", "show", "eve")
		m.usage("none of the others can be", "user", "create", "--username", "eve", "--email", "eve@example.com", "--password-stdin", "--password-hash-stdin")

		n := m.serve()
		people := map[string]string{"amy": seventyTwo, "bob": "Hello world!", "carl": "password", "dora": "pleaseletmein"}
		for name, password := range people {
			n.signIn(name, password)
			n.signIn(name, password) // by the new hash of the first sign-in
		}
		for name, password := range people {
			if status, answer := n.post("/api/v1/auth/login", "", map[string]any{"username": name, "password": password + "a"}); status != http.StatusUnauthorized {
				t.Errorf("%s signs in with a wrong password: %d %v", name, status, answer)
			}
		}
	})
}

package main

import (
	"strings"
	"testing"
)

func TestClientRotation(t *testing.T) {
	m := newMachine(t, "")
	m.refused("rotate_refresh_tokens", "client", "create", "--name", "App", "--kind", "spa", "--redirect-uri", "https://app.example/cb", "--rotate-refresh-tokens=false")
	app := m.object("client", "create", "--name", "App", "--kind", "spa", "--redirect-uri", "https://app.example/cb")
	m.refused("rotate_refresh_tokens", "client", "update", text(app["client_id"]), "--rotate-refresh-tokens=false")
	loose := m.run("", "client", "create", "--name", "Shop", "--kind", "web", "--redirect-uri", "https://shop.example/cb", "--rotate-refresh-tokens=false")
	if loose.code != 0 || !strings.Contains(loose.err, "Warning: refresh tokens of this client stay the same") {
		t.Errorf("%+v", loose)
	}
	for kind, want := range map[string]string{"native": "rotate_refresh_tokens", "web": ""} {
		file := `{"clients":[{"name":"Imported ` + kind + `","kind":"` + kind + `","redirect_uris":["https://imported.example/cb"],"rotate_refresh_tokens":false}]}`
		if got := m.run("", "import", m.file(kind+".json", file)); (got.code == 0) != (want == "") || !strings.Contains(got.err, want) {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

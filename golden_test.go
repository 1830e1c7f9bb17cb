package keystone_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/keystonetest"
)

var update = flag.Bool("update", false, "write testdata/golden again")

// golden holds what the server shows to the file that shows it in a diff.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(kept) {
		return
	}
	is, was := strings.Split(got, "\n"), strings.Split(string(kept), "\n")
	for _, line := range is {
		if !slices.Contains(was, line) {
			t.Logf("+ %s", line)
		}
	}
	for _, line := range was {
		if !slices.Contains(is, line) {
			t.Logf("- %s", line)
		}
	}
	t.Errorf("%s is not what the server answers. If that is meant, run make docs and tell clients in CHANGELOG.md", file)
}

// TestGoldenMetadata: what clients find out by themselves, of a server as it comes
// and of one with every switch on and an issuer that has a path.
func TestGoldenMetadata(t *testing.T) {
	all := map[string]string{"ISSUER": "https://id.example/auth", "CLIENT_REGISTRATION": "open", "CLIENT_ID_METADATA": "consent", "SESSION_IFRAME": "true",
		"TLS_CLIENT_CERTS": "true", "CLIENT_CA_FILE": newAuthority(t, "Clients CA").file(), "MTLS_URL": "https://mtls.id.example"}
	for variant, options := range map[string][]keystonetest.Option{
		"": {keystonetest.WithSettings(map[string]string{"ISSUER": "https://id.example"})}, "-everything": {keystonetest.WithTLS(), withDetails(t), keystonetest.WithSettings(all)},
	} {
		s := keystonetest.Start(t, options...)
		read := func(path string) string {
			t.Helper()
			a := as(s, "").json(t, "GET", path, nil)
			a.wants(t, 200, "%s", path)
			var text bytes.Buffer
			if err := json.Indent(&text, []byte(a.body), "", "  "); err != nil {
				t.Fatal(path, err)
			}
			return text.String() + "\n"
		}
		suffix := map[bool]string{true: "/auth"}[variant != ""] // RFC 8414 section 3.1
		oidc := read("/.well-known/openid-configuration")
		golden(t, "metadata"+variant+".json", oidc)
		for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server" + suffix} {
			if got := read(path); got != oidc {
				t.Errorf("%s says other things than OpenID Connect Discovery:\n%s", path, got)
			}
		}
		golden(t, "protected-resource"+variant+".json", read("/.well-known/oauth-protected-resource"+suffix))
	}
}

// TestGoldenOpenAPI: every operation in a line, with who may, what it takes and how
// it may answer, and every shape in a line. docs/API.md has the words for people.
func TestGoldenOpenAPI(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"ISSUER": "https://id.example", "SESSION_IFRAME": "true", "METRICS_PUBLIC": "true", "CLIENT_REGISTRATION": "open"}))
	var doc struct {
		Paths      map[string]map[string]goldenOperation
		Components struct{ Schemas map[string]goldenSchema }
	}
	if err := json.Unmarshal([]byte(as(s, "").json(t, "GET", "/openapi.json", nil).body), &doc); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			fmt.Fprintf(&b, "%s %s%s\n", strings.ToUpper(method), path, doc.Paths[path][method])
		}
	}
	b.WriteString("\n")
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		fmt.Fprintf(&b, "%s %s\n", name, doc.Components.Schemas[name])
	}
	golden(t, "openapi.txt", b.String())
}

type goldenOperation struct {
	Security   []map[string][]string
	Parameters []struct {
		Name, In string
		Required bool
		Schema   goldenSchema
	}
	RequestBody goldenContents
	Responses   map[string]goldenContents
}

type goldenContents struct {
	Content map[string]struct{ Schema goldenSchema }
}

func (o goldenOperation) String() string {
	var b strings.Builder
	for _, way := range o.Security {
		for _, name := range slices.Sorted(maps.Keys(way)) {
			fmt.Fprintf(&b, " [%s]", strings.Join(append([]string{name}, way[name]...), " "))
		}
	}
	for _, p := range o.Parameters {
		fmt.Fprintf(&b, " %s:%s%s:%s", p.In, p.Name, map[bool]string{true: "!"}[p.Required], p.Schema)
	}
	if len(o.RequestBody.Content) > 0 {
		fmt.Fprintf(&b, " <%s>", o.RequestBody)
	}
	b.WriteString(" ->")
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		b.WriteString(" " + status)
		if status < "400" && len(o.Responses[status].Content) > 0 {
			fmt.Fprintf(&b, "(%s)", o.Responses[status])
		}
	}
	return b.String()
}

func (c goldenContents) String() string {
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(c.Content)) {
		list = append(list, strings.TrimSpace(kind+" "+c.Content[kind].Schema.String()))
	}
	return strings.Join(list, ", ")
}

// goldenSchema is what a shape promises: names, types, what must be there, bounds.
type goldenSchema struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Format               string
	Enum                 []any
	Required             []string
	Properties           map[string]goldenSchema
	Items                *goldenSchema
	AdditionalProperties any
	MaxLength            *int
	Minimum, Maximum     *float64
}

func (s goldenSchema) String() string {
	if s.Ref != "" {
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	}
	var b strings.Builder
	switch t := s.Type.(type) {
	case string:
		b.WriteString(t)
	case []any:
		for i, one := range t {
			b.WriteString(strings.Repeat("|", min(i, 1)) + fmt.Sprint(one))
		}
	}
	if s.Format != "" {
		b.WriteString("/" + s.Format)
	}
	if len(s.Enum) > 0 {
		fmt.Fprintf(&b, "%v", s.Enum)
	}
	if s.MaxLength != nil {
		fmt.Fprintf(&b, "<=%d", *s.MaxLength)
	}
	if s.Minimum != nil {
		fmt.Fprintf(&b, ">=%g", *s.Minimum)
	}
	if s.Maximum != nil {
		fmt.Fprintf(&b, "<=%g", *s.Maximum)
	}
	if s.Items != nil {
		return "[" + s.Items.String() + "]"
	}
	if len(s.Properties) == 0 {
		return b.String()
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		must := map[bool]string{true: "!"}[slices.Contains(s.Required, name)]
		list = append(list, name+must+":"+s.Properties[name].String())
	}
	closed := map[bool]string{false: " ..."}[s.AdditionalProperties == false]
	return "{" + strings.Join(list, " ") + closed + "}"
}

package keystone_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// G7: a secret that is wrong in its first character is answered as one that is
// wrong in its last, by every way in which it can be shown. That the time does not
// tell either is shown by the two tests after this one and by no clock.
func TestAttackG7_NearMissesAreAlike(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		c := s.CreateClient(keystone.Client{})
		flip := func(i int) string {
			b := []byte(c.Secret)
			if b[i]++; b[i] == '{' {
				b[i] = 'A'
			}
			return string(b)
		}
		last, sum := len(c.Secret)-1, sha256.Sum256([]byte(c.Secret))
		wrong := map[string]string{
			"first": flip(0), "after the prefix": flip(6), "middle": flip(last / 2), "last": flip(last), "cut": c.Secret[:last], "extended": c.Secret + "A",
			"empty": "", "only the prefix": "ks_cs_", "spaces": " " + c.Secret, "upper case": strings.ToUpper(c.Secret), "its hash": base64.RawURLEncoding.EncodeToString(sum[:]),
		}
		shape := func(a answer) string {
			for _, name := range []string{"Date", "X-Request-Id"} {
				a.header.Del(name)
			}
			delete(a.fields, "timestamp")
			delete(a.fields, "request_id")
			return fmt.Sprint(a.status, a.fields, a.header)
		}
		for way, show := range map[string]func(secret string) answer{
			"basic": func(secret string) answer {
				return as(s, "").with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.ID+":"+url.QueryEscape(secret)))).form(t, "/oauth2/token", "grant_type", "client_credentials")
			},
			"post": func(secret string) answer {
				return as(s, "").form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", c.ID, "client_secret", secret)
			},
			"json": func(secret string) answer {
				return as(s, "").json(t, "POST", "/api/v1/auth/token", m{"client_id": c.ID, "client_secret": secret, "grant_type": "client_credentials"})
			},
			"introspect": func(secret string) answer {
				return as(s, "").form(t, "/oauth2/introspect", "token", "x", "client_id", c.ID, "client_secret", secret)
			},
			"revoke": func(secret string) answer {
				return as(s, "").form(t, "/oauth2/revoke", "token", "x", "client_id", c.ID, "client_secret", secret)
			},
			"device": func(secret string) answer {
				return as(s, "").form(t, "/oauth2/device_authorization", "scope", "openid", "client_id", c.ID, "client_secret", secret)
			},
		} {
			if right := show(c.Secret); right.status == 401 {
				t.Errorf("%s: the secret itself answered %d %s", way, right.status, right.body)
			}
			want := shape(show("nothing like it"))
			for name, secret := range wrong {
				if got := shape(show(secret)); got != want {
					t.Errorf("%s, %s:\n%s\n%s", way, name, got, want)
				}
			}
			if !strings.HasPrefix(want, "401") {
				t.Errorf("%s: %s", way, want)
			}
		}
	})
}

// G7, by shape: the one function that compares a client's secret hashes what was
// shown before anything else, uses it for nothing else, and looks at every living
// secret whichever was right.
func TestAttackG7_SecretsMeetAsHashes(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "internal/store/client_read.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != "ProveClient" {
			continue
		}
		found = true
		hashed, used, loops, early := 0, 0, 0, 0
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if n.Name == "presented" {
					used++
				}
			case *ast.CallExpr:
				if called(n) == "secret.Hash" {
					hashed++
				}
			case *ast.RangeStmt:
				loops++
				ast.Inspect(n.Body, func(n ast.Node) bool {
					switch n.(type) {
					case *ast.BranchStmt, *ast.ReturnStmt:
						early++
					}
					return true
				})
			}
			return true
		})
		if hashed != 1 || used != 1 || loops != 1 || early != 0 {
			t.Errorf("ProveClient hashes %d times, uses what was shown %d times, loops %d times and leaves the loop early %d times", hashed, used, loops, early)
		}
	}
	if !found {
		t.Error("ProveClient is not in internal/store/client_read.go any more: this test has to follow it")
	}
}

// G7, the class: no room compares what somebody keeps secret by a comparison that
// ends at the first difference. Names decide what is a secret; the exceptions are
// listed with their reason.
func TestAttackG7_NoComparisonThatStops(t *testing.T) {
	allowed := map[string]string{
		"cmd/keystone/import_client.go:writeClient":   "the operator's own file, with what was made of it",
		"internal/account/password.go:changePassword": "two fields of one request",
		"internal/password/hasher.go:Verify":          "what was typed with its own normal form",
		"internal/store/audit_verify.go:verifyChain":  "what lies in the database, read by an operator: nobody guesses",
		"internal/store/audit_verify.go:verifyRows":   "the same",
		"internal/store/audit_prune.go:PruneAudit":    "the same",
	}
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "bench/") || strings.HasPrefix(path, "keystonetest/") {
			return err
		}
		for _, place := range stopping(t, path, nil) {
			if seen[place] = true; allowed[place] == "" {
				t.Errorf("%s compares a secret and stops at the first difference: use secret.Equal on hashes", place)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for place := range allowed {
		if !seen[place] {
			t.Errorf("%s is not there any more", place)
		}
	}
	for body, want := range map[string]int{
		`if a.secret == b { }`: 1, `if bytes.Equal(mac, got) { }`: 1, `_ = slices.Equal(x.hash, y)`: 1, `_ = strings.EqualFold(x, password)`: 1, `if string(l.hash) != kept { }`: 1,
		`if c.secret == "" { }`: 0, `if secret.Equal(a.hash, b) { }`: 0, `if x.kind == y.kind { }`: 0, `if hash == nil { }`: 0, `_ = len(secret) == n`: 0,
	} {
		if got := stopping(t, "x.go", "package x\nfunc f() { "+body+" }"); len(got) != want {
			t.Errorf("%s: found %v", body, got)
		}
	}
}

var secretName = regexp.MustCompile(`(?i)(secret|hash|mac|signature|verifier|password|challenge|digest)$`)

// stopping returns the places of a file, as file:function, where something that is
// named as a secret is compared by ==, != or a function that stops early.
func stopping(t *testing.T, path string, src any) (places []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var kept func(e ast.Expr) bool
	kept = func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.CallExpr: // string(mac), []byte(mac)
			switch f := e.Fun.(type) {
			case *ast.Ident:
				return f.Name == "string" && kept(e.Args[0])
			case *ast.ArrayType:
				return kept(e.Args[0])
			}
		case *ast.Ident:
			return secretName.MatchString(e.Name)
		case *ast.SelectorExpr:
			return secretName.MatchString(e.Sel.Name)
		}
		return false
	}
	constant := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.BasicLit:
			return true
		case *ast.Ident:
			return e.Name == "nil" || e.Name == "true" || e.Name == "false"
		}
		return false
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			hit := false
			switch n := n.(type) {
			case *ast.BinaryExpr:
				hit = (n.Op == token.EQL || n.Op == token.NEQ) && (kept(n.X) || kept(n.Y)) && !constant(n.X) && !constant(n.Y)
			case *ast.CallExpr:
				switch called(n) {
				case "bytes.Equal", "bytes.Compare", "bytes.HasPrefix", "slices.Equal", "strings.EqualFold", "strings.Compare", "reflect.DeepEqual":
					hit = kept(n.Args[0]) || len(n.Args) > 1 && kept(n.Args[1])
				}
			}
			if hit {
				places = append(places, filepath.ToSlash(path)+":"+f.Name.Name)
			}
			return true
		})
	}
	return places
}

// called names a call of a function of a package, "package.Function", or "".
func called(call *ast.CallExpr) string {
	if f, ok := call.Fun.(*ast.SelectorExpr); ok {
		if p, ok := f.X.(*ast.Ident); ok {
			return p.Name + "." + f.Sel.Name
		}
	}
	return ""
}

package keystone_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/keystone-auth/keystone"

// A room is a folder of packages: the longest listed name that is a prefix of
// the package's folder. Its packages may import one another, and of ours only
// what the room may. Tests are free to boot whatever they test against.
var rooms = []struct{ name, may, why string }{
	{"keystone", "", "the nouns know nobody, so everybody may know them"},
	{"internal/config", "", "settings are read before anything exists"},
	{"internal/secret", "", "primitives only: no noun decides how randomness is made"},
	{"internal/ephemeral", "", "counters carry no meaning, so losing them weakens nothing"},
	{"internal/cache", "", "keeps anything, knows nothing"},
	{"internal/thread", "", "runs anything, knows nothing"},
	{"internal/password", "keystone thread", "says why a password was refused in the nouns' errors"},
	{"internal/fetch", "keystone cache", "the one guarded way out; what it brings home is its caller's to read"},
	{"internal/jose", "keystone", "reads what others sign, with public keys; knows no protocol and fetches nothing"},
	{"internal/patch", "", "tells what a PATCH leaves out from what it empties"},
	{"internal/httpio", "keystone", "turns the nouns' errors and actors into HTTP, and knows no business"},
	{"web", "keystone", "renders what it is given"},
	{"internal/store", "keystone secret jose cache", "rows are nouns; what it keeps is sealed or hashed; keys that clients register are checked where they are written"},
	{"internal/proof", "keystone store secret password", "one check of passwords for every path; it starts no session and knows no HTTP"},
	{"internal/token", "keystone store secret cache thread", "the door reads the state of user, client and session itself"},
	{"internal/oauth", "keystone store token jose fetch secret cache httpio web", "a slice; meets the others in rows only"},
	{"internal/login", "keystone store token password proof secret httpio web", "a slice"},
	{"internal/account", "keystone store password proof patch httpio web", "a slice"},
	{"internal/admin", "keystone store token password proof patch httpio", "a slice"},
	{"internal/server", "keystone internal/* web", "builds everything once"},
	{"cmd", "keystone config server store ephemeral token secret password proof", "enters at the store, with the operator as actor; the doctor asks Redis what a server would"},
	{"verify", "", "other people's programs import it; it drags nothing of ours along"},
	{"verify/cmd", "verify", "programs that use it as a stranger would"},
	{"keystonetest", "keystone internal/*", "boots the real server inside a test"},
	{"interop", "keystonetest", "other people's clients against the real server"},
	{"bench", "keystone internal/* verify keystonetest", "measures every part"},
}

// A power is something only its rooms may do: import a package (a trailing
// slash means everything below), call a function, write a literal, or use a
// form of the language. Where tests is true, tests may too.
var powers = []struct {
	name    string
	imports string
	calls   string
	literal string
	form    string
	rooms   string
	tests   bool
	why     string
}{
	{name: "SQL", rooms: "internal/store bench",
		imports: "database/sql database/sql/ github.com/jackc/pgx/ github.com/pressly/goose/ modernc.org/sqlite modernc.org/sqlite/ github.com/exaring/otelpgx",
		why:     "one text for two databases, and single use is one statement"},
	{name: "Redis", rooms: "internal/ephemeral bench",
		imports: "github.com/valkey-io/valkey-go github.com/valkey-io/valkey-go/",
		why:     "what is in Redis may be lost; nothing else may come to rely on it"},
	{name: "the environment", rooms: "internal/config bench", tests: true,
		calls: "os.Getenv os.LookupEnv os.Environ os.ExpandEnv",
		why:   "a setting that is not in the struct is not checked, printed or documented"},
	{name: "keys and ciphers", rooms: "internal/secret internal/password internal/token internal/jose verify bench", tests: true,
		imports: "crypto/ecdsa crypto/ed25519 crypto/rsa crypto/ecdh crypto/elliptic crypto/hmac crypto/aes crypto/cipher crypto/hkdf crypto/pbkdf2 golang.org/x/crypto/ github.com/go-crypt/ github.com/go-jose/",
		why:     "signing keys live in token, hashes in password, the rest in secret; jose and verify hold public keys only"},
	{name: "randomness", rooms: "keystone internal/secret internal/password internal/token bench", tests: true,
		imports: "crypto/rand",
		why:     "ids are the nouns', every bearer value is secret's: length and alphabet are decided once"},
	{name: "guessable randomness",
		imports: "math/rand math/rand/v2",
		why:     "nothing here may be guessed, and tests that fail must fail again"},
	{name: "error bodies", rooms: "internal/httpio verify keystonetest bench", tests: true,
		literal: "error_description",
		why:     "one shape, one place that decides what may be shown; verify has its own, RFC 6750 only"},
	{name: "goroutines", rooms: "internal/server internal/store internal/thread internal/ephemeral verify keystonetest bench", tests: true,
		form:    "go",
		imports: "golang.org/x/sync/errgroup",
		why: "server starts and joins what outlives a request; store writes groups and keeps a lease, thread computes for its caller, who waits, ephemeral asks Redis whether it is back, " +
			"verify refreshes keys; a handler starts none"},
	{name: "outbound requests", rooms: "internal/fetch cmd verify keystonetest bench", tests: true,
		calls: "net/http.Get net/http.Post net/http.PostForm net/http.Head net/http.DefaultClient net/http.Client net/http.Transport net/http.DefaultTransport net.Dial net.DialTimeout net.Dialer crypto/tls.Dial crypto/tls.Dialer",
		why:   "what a client or another server names is reached through one guard"},
	{name: "the process's own log", rooms: "cmd verify/cmd bench", tests: true,
		calls: "log/slog.Debug log/slog.DebugContext log/slog.Info log/slog.InfoContext log/slog.Warn log/slog.WarnContext log/slog.Error log/slog.ErrorContext log/slog.Log log/slog.LogAttrs log.Print log.Printf log.Println",
		why:   "a server logs where it was told to, and redacted"},
	{name: "leaving the process", rooms: "cmd verify/cmd bench", tests: true,
		calls: "os.Exit log.Fatal log.Fatalf log.Fatalln",
		why:   "everything else returns an error, so that main can finish what is in flight"},
	{name: "func init",
		form: "init",
		why:  "registration is a visible list"},
}

// TestRooms holds the import table and the powers over every Go file.
func TestRooms(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go"):
			return nil
		}
		seen[roomOf(path.Dir(filepath.ToSlash(file)))] = true
		for _, breach := range breaches(filepath.ToSlash(file), nil) {
			t.Error(breach)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !seen["keystone"] {
		t.Error("no file of the root package was seen: run from the root of the module")
	}
}

// TestRoomsNotice proves that each rule can fail.
func TestRoomsNotice(t *testing.T) {
	for _, test := range []struct{ file, body, want string }{
		{"user.go", `import _ "` + module + `/internal/secret"`, "may not import internal/secret"},
		{"internal/oauth/x.go", `import _ "` + module + `/internal/login"`, "may not import internal/login"},
		{"internal/oauth/x.go", `import _ "` + module + `/internal/store/deep"`, ""},
		{"internal/oauth/deep/x.go", `import _ "` + module + `/internal/oauth"`, ""},
		{"internal/secret/x.go", `import _ "` + module + `"`, "may not import keystone"},
		{"internal/oauth/x_test.go", `import _ "` + module + `/keystonetest"`, ""},
		{"internal/store/storetest/x.go", `import "os"; import _ "` + module + `/internal/token"; var _ = os.Getenv("X")`, ""},
		{"internal/store/x.go", `import _ "` + module + `/internal/store/storetest"`, "only tests may import"},
		{"internal/util/x.go", ``, "no room"},
		{"internal/admin/x.go", `import _ "database/sql"`, "SQL"},
		{"internal/admin/x_test.go", `import _ "github.com/jackc/pgx/v5"`, "SQL"},
		{"internal/store/x.go", `import _ "github.com/jackc/pgx/v5/pgxpool"`, ""},
		{"internal/server/x.go", `import _ "github.com/valkey-io/valkey-go"`, "Redis"},
		{"cmd/keystone/x.go", `import env "os"; var _ = env.Getenv("X")`, "the environment"},
		{"internal/server/x.go", `import "os"; var _ = os.Environ`, "the environment"},
		{"internal/server/x_test.go", `import "os"; var _ = os.Getenv("X")`, ""},
		{"internal/oauth/x.go", `import _ "crypto/ecdsa"`, "keys and ciphers"},
		{"internal/oauth/x.go", `import _ "golang.org/x/crypto/argon2"`, "keys and ciphers"},
		{"internal/login/x.go", `import _ "crypto/rand"`, "randomness"},
		{"internal/store/x_test.go", `import _ "math/rand/v2"`, "guessable randomness"},
		{"internal/oauth/x.go", "type _ struct{ D string `json:\"error_description\"` }", "error bodies"},
		{"internal/oauth/x.go", `func f() { go f() }`, "goroutines"},
		{"internal/oauth/x.go", `import "sync"; func f() { var all sync.WaitGroup; all.Go(f) }`, "goroutines"},
		{"internal/store/x.go", `import "sync"; func f() { var all sync.WaitGroup; all.Go(f); go f() }`, ""},
		{"internal/store/x.go", `func init() {}`, "func init"},
		{"internal/server/x.go", `import "os"; func f() { os.Exit(1) }`, "leaving the process"},
		{"internal/oauth/x.go", `import "net/http"; var _ = http.Get`, "outbound requests"},
		{"internal/token/x.go", `import "net/http"; var _ http.Client`, "outbound requests"},
		{"internal/fetch/x.go", `import "net/http"; var _ http.Client`, ""},
	} {
		got := strings.Join(breaches(test.file, "package x; "+test.body), "\n")
		if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %s\n  says %q, want %q", test.file, test.body, got, test.want)
		}
	}
}

// breaches returns what a file does that its room may not. src is the file's
// text, or nil to read it.
func breaches(file string, src any) (found []string) {
	room, isTest := roomOf(path.Dir(file)), strings.HasSuffix(file, "_test.go") || forTests(path.Dir(file))
	if room == "" {
		return []string{file + ": its folder is in no room: give it a line in the table of rooms_test.go, or move it"}
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}

	var imports []string
	names := map[string]string{} // local name -> import path
	for _, spec := range f.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imported
		imports = append(imports, imported)
		if ours, ok := strings.CutPrefix(imported, module); ok && !isTest {
			target := roomOf("." + ours)
			if target != room && !mayImport(room, target) {
				found = append(found, fmt.Sprintf("%s: %s may not import %s", file, room, cmp.Or(target, ours+", which is in no room")))
			} else if forTests(ours) && room != "bench" {
				found = append(found, fmt.Sprintf("%s: only tests may import %s", file, ours))
			}
		}
	}

	for _, p := range powers {
		if slices.Contains(strings.Fields(p.rooms), room) || p.tests && isTest {
			continue
		}
		breach := func(what string) {
			found = append(found, fmt.Sprintf("%s: %s: %s; only in: %s (%s)", file, p.name, what, cmp.Or(p.rooms, "nowhere"), p.why))
		}
		for _, imported := range imports {
			for _, held := range strings.Fields(p.imports) {
				if imported == held || strings.HasSuffix(held, "/") && strings.HasPrefix(imported, held) {
					breach("import of " + imported)
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				if p.form == "go" {
					breach("go statement")
				}
			case *ast.CallExpr: // of sync.WaitGroup, or of a group like it
				if method, ok := n.Fun.(*ast.SelectorExpr); ok && p.form == "go" && method.Sel.Name == "Go" && len(n.Args) == 1 {
					breach("call of Go")
				}
			case *ast.FuncDecl:
				if p.form == "init" && n.Recv == nil && n.Name.Name == "init" {
					breach("func init")
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && names[x.Name] != "" {
					if call := names[x.Name] + "." + n.Sel.Name; slices.Contains(strings.Fields(p.calls), call) {
						breach(call)
					}
				}
			case *ast.BasicLit:
				if p.literal != "" && strings.Contains(n.Value, p.literal) && file != "rooms_test.go" {
					breach("the literal " + p.literal)
				}
			}
			return true
		})
	}
	return found
}

// roomOf returns the room of a folder ("." is the root), or "".
func roomOf(folder string) (room string) {
	folder = path.Clean(folder)
	if folder == "." {
		return "keystone"
	}
	for _, r := range rooms {
		if (folder == r.name || strings.HasPrefix(folder, r.name+"/")) && len(r.name) > len(room) {
			room = r.name
		}
	}
	return room
}

// forTests says whether a folder is support for tests: storetest, keystonetest.
func forTests(folder string) bool { return strings.HasSuffix(folder, "test") }

func mayImport(room, target string) bool {
	for _, r := range rooms {
		if r.name == room {
			may := strings.Fields(r.may)
			return slices.Contains(may, target) || slices.Contains(may, strings.TrimPrefix(target, "internal/")) ||
				strings.HasPrefix(target, "internal/") && slices.Contains(may, "internal/*")
		}
	}
	return false
}

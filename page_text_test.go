package keystone_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
)

// spoken are the files whose refusals can come to be on a page.
var spoken = []string{
	"error.go", "text.go", "internal/login/device.go", "internal/login/flow.go", "internal/account/register.go",
	"internal/oauth/logout.go", "internal/oauth/initiate.go", "internal/oauth/request_object.go",
	"internal/httpio/form.go", "internal/server/limits.go", "internal/proof/*.go", "internal/password/policy.go", "internal/password/prepare.go",
	"internal/password/queue.go", "internal/store/setup.go", "internal/store/user.go",
}

// spokenBesides are single refusals of other files, by their variable.
var spokenBesides = map[string][]string{
	"internal/oauth/authorize_request.go": {"errRequest", "errUnknownClient", "errRedirectURI", "errResponseMode", "errHintUser", "errOpenIDNotForClient"},
	"internal/oauth/par.go":               {"errRequestURI"},
	"internal/store/flow.go":              {"ErrRequestSize"},
	"flow.go":                             {"ErrNoFlow"},
	"internal/oauth/pending.go":           {"errAnswered", "errNoSuccess"},
	"internal/oauth/document.go":          {"errDocument"},
	"internal/httpio/error.go":            {"errTooLarge", "errFormType", "errInternal", "errGone", "errNoRoute", "errMethodNotAllowed"},
	"internal/httpio/read.go":             {"errBodyEnd"},
	"internal/server/endpoint.go":         {"errCrossOrigin", "errClosed"},
	"internal/store/store.go":             {"errUnavailable", "errStale", "errMoved"},
	"internal/token/id_token.go":          {"errHint"},
}

// TestRefusalsAreTranslated: whatever a page can say of a refusal, it can say in
// German.
func TestRefusalsAreTranslated(t *testing.T) {
	sentences := map[string]bool{}
	for _, pattern := range spoken {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, text := range saidBy(t, file, nil) {
				sentences[text] = true
			}
		}
	}
	for file, names := range spokenBesides {
		found := saidBy(t, file, names)
		if len(found) != len(names) {
			t.Errorf("%s: %d of %v are there", file, len(found), names)
		}
		for _, text := range found {
			sentences[text] = true
		}
	}
	for _, sc := range slices.Concat(keystone.OpenIDScopes, keystone.BuiltInScopes) {
		sentences[sc.Description] = true
	}
	if len(sentences) < 80 {
		t.Fatal("only", len(sentences), "were found")
	}
	var texts map[string]string
	body, err := os.ReadFile("web/text/de.json")
	if err == nil {
		err = json.Unmarshal(body, &texts)
	}
	if err != nil {
		t.Fatal(err)
	}
	for text := range sentences {
		if texts[text] == "" && texts[numbers.ReplaceAllString(text, "#")] == "" {
			t.Errorf("web/text/de.json has no text for %q", text)
		}
	}
}

var numbers = regexp.MustCompile(`[0-9]+|%d`)

// isSentence tells what people read from other literals.
var isSentence = regexp.MustCompile(`^[A-Z][^=]* .*(\.|setup-link)$`)

// saidBy returns the sentences in a file: all, or those of the variables that are
// named.
func saidBy(t *testing.T, file string, names []string) (texts []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	collect := func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil && isSentence.MatchString(text) {
				texts = append(texts, text)
			}
		}
		return true
	}
	if names == nil {
		ast.Inspect(f, collect)
		return texts
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && slices.Contains(names, spec.Names[0].Name) {
			ast.Inspect(spec, collect)
		}
		return true
	})
	return texts
}

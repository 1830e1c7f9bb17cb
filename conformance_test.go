package keystone_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// testsOf reads which tests the repository has: for each its text literals, in which
// the names of its subtests stand (those of its file, for tables beside it).
func testsOf(t *testing.T) map[string]map[string]bool {
	t.Helper()
	tests := map[string]map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		texts := map[string]bool{}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					texts[text] = true
				}
			}
			return true
		})
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				tests[f.Name.Name] = texts
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

var testName = regexp.MustCompile("`(Test[A-Za-z0-9_]+)(?:/([^`]+))?`")

// conformanceRow is one module of docs/CONFORMANCE.md.
type conformanceRow struct{ plan, module, tests, result string }

func conformanceRows(t *testing.T) (rows []conformanceRow) {
	t.Helper()
	text, err := os.ReadFile("docs/CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	plan := ""
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			plan = strings.TrimSpace(heading)
		}
		cells := strings.Split(line, "|")
		if len(cells) == 5 && strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			rows = append(rows, conformanceRow{plan, strings.Trim(strings.TrimSpace(cells[1]), "`"), cells[2], strings.TrimSpace(cells[3])})
		}
	}
	return rows
}

// TestConformanceTable: the table of docs/CONFORMANCE.md names only tests that are
// there, says "not yet" where there is none, and leaves out no module of ours.
func TestConformanceTable(t *testing.T) {
	tests, seen := testsOf(t), map[string]int{}
	for _, row := range conformanceRows(t) {
		seen[row.plan]++
		named := testName.FindAllStringSubmatch(row.tests, -1)
		switch {
		case len(named) == 0 && row.result != "not yet":
			t.Errorf("%s: no test, and the result is %q", row.module, row.result)
		case len(named) > 0 && row.result == "not yet":
			t.Errorf("%s: has tests and is said not to", row.module)
		case !strings.Contains("passes|not yet|", row.result+"|") && !strings.HasPrefix(row.result, "passes, ") && !strings.HasPrefix(row.result, "skipped: ") && !strings.HasPrefix(row.result, "in part: "):
			t.Errorf("%s: the result %q is none of: passes, skipped: why, in part: what, not yet", row.module, row.result)
		}
		for _, name := range named {
			texts, there := tests[name[1]]
			if !there {
				t.Errorf("%s: there is no %s", row.module, name[1])
			} else if name[2] != "" && !texts[name[2]] {
				t.Errorf("%s: %s has no %s", row.module, name[1], name[2])
			}
		}
	}
	for plan, want := range map[string]int{"Config OP": 1, "Basic OP": 38, "Dynamic OP": 23, "RP-Initiated Logout OP": 11,
		"Back-Channel Logout OP": 2, "Front-Channel Logout OP": 2, "Session Management OP": 2, "Third-Party-Initiated Login OP": 2,
		"FAPI 2.0 Security Profile": 58, "FAPI 2.0 Message Signing": 14, "FAPI-CIBA": 44} {
		if seen[plan] != want {
			t.Errorf("%s: %d modules, want %d", plan, seen[plan], want)
		}
	}
	tested := map[string][]string{}
	for _, module := range basicModules {
		tested["Basic OP"] = append(tested["Basic OP"], module.name)
	}
	for _, module := range fapiModules {
		tested["FAPI 2.0 Security Profile"] = append(tested["FAPI 2.0 Security Profile"], module.name)
	}
	for _, module := range signingModules {
		tested["FAPI 2.0 Message Signing"] = append(tested["FAPI 2.0 Message Signing"], module.name)
	}
	for _, module := range cibaModules {
		tested["FAPI-CIBA"] = append(tested["FAPI-CIBA"], module.name)
	}
	for plan, names := range tested {
		for _, name := range names {
			if !slices.ContainsFunc(conformanceRows(t), func(row conformanceRow) bool { return row.plan == plan && row.module == name }) {
				t.Errorf("%s: %s is tested and not in the table", plan, name)
			}
		}
	}
}

// TestConformanceConfiguration: what the suite is given fits what is imported and
// the pages: clients that exist, ids of elements that exist.
func TestConformanceConfiguration(t *testing.T) {
	pages := ""
	templates, err := filepath.Glob("web/templates/*.html")
	if err != nil || len(templates) == 0 {
		t.Fatal("no templates", err)
	}
	for _, file := range templates {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pages += string(text)
	}
	files, err := filepath.Glob("testdata/conformance/*.json")
	templates, err2 := filepath.Glob("testdata/conformance/variants/*.json")
	if files = append(files, templates...); err != nil || err2 != nil || len(templates) != 4 || len(files) < 11 {
		t.Fatalf("%q, %v, %v", files, err, err2)
	}
	imported := ""
	for _, file := range append(templates, "testdata/conformance/keystone.json") {
		if text, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		} else if strings.HasSuffix(file, "clients.json") || strings.HasSuffix(file, "keystone.json") {
			imported += string(text)
		}
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		eachNode(v, func(node any) {
			switch n := node.(type) {
			case map[string]any:
				if id, ok := n["client_id"].(string); ok && !strings.Contains(imported, id) {
					t.Errorf("%s: client %s is not imported", file, id)
				}
			case []any:
				if len(n) >= 3 && n[1] == "id" {
					id, _ := n[2].(string)
					field := id == "login" || id == "password" || id == "submit" // made by the form template
					if id != "submission_complete" && !field && !strings.Contains(pages, `id="`+id+`"`) {
						t.Errorf("%s: no page has the element %q", file, id)
					}
				}
			}
		})
	}
}

func eachNode(v any, f func(any)) {
	f(v)
	switch n := v.(type) {
	case map[string]any:
		for _, child := range n {
			eachNode(child, f)
		}
	case []any:
		for _, child := range n {
			eachNode(child, f)
		}
	}
}

// TestASVSTable: every row of docs/ASVS.md names tests that are there, or says that
// it is not yet.
func TestASVSTable(t *testing.T) {
	tableOfTests(t, "docs/ASVS.md", `^ \d`, 4, 60)
}

// TestAttackTable: so does every case of docs/ATTACKS.md, or it says what is done by
// hand.
func TestAttackTable(t *testing.T) {
	tableOfTests(t, "docs/ATTACKS.md", `^ [A-SX]\d`, 3, 160)
}

// tableOfTests reads a document whose rows begin with a number and name their tests
// in a column.
func tableOfTests(t *testing.T, file, number string, column, least int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tests, rows := testsOf(t), 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != column+2 || !regexp.MustCompile(number).MatchString(cells[1]) {
			continue
		}
		rows++
		named, why := testName.FindAllStringSubmatch(cells[column], -1), strings.TrimSpace(cells[column])
		if len(named) == 0 && why != "not yet" && !strings.HasPrefix(why, "by hand: ") {
			t.Errorf("%s: no test", cells[1])
		}
		for _, name := range named {
			if tests[name[1]] == nil {
				t.Errorf("%s: there is no %s", cells[1], name[1])
			}
		}
	}
	if rows < least {
		t.Errorf("only %d rows were read", rows)
	}
}

package keystone_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestErrorTexts: every text of a refusal can be an error_description (RFC 6749
// section 5.2, RFC 6750 section 3): printable ASCII without quotes and backslashes.
func TestErrorTexts(t *testing.T) {
	texts := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && path != "internal" && !strings.HasPrefix(path, "internal/"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 2 || !named(call.Fun, "Fail") {
				return true
			}
			ast.Inspect(call.Args[1], func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(literal.Value)
				if texts++; err != nil || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
					t.Errorf("%s: %q cannot be an error_description", files.Position(literal.Pos()), text)
				}
				return true
			})
			return true
		})
		return nil
	})
	if err != nil || texts < 200 {
		t.Fatalf("%d texts, %v", texts, err)
	}
}

// named reports whether a call is of keystone.name, from inside or outside.
func named(fun ast.Expr, name string) bool {
	if s, ok := fun.(*ast.SelectorExpr); ok {
		pkg, ok := s.X.(*ast.Ident)
		return ok && pkg.Name == "keystone" && s.Sel.Name == name
	}
	id, ok := fun.(*ast.Ident)
	return ok && id.Name == name
}

package keystone

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestAuditActions: the list has every action, and the filter no other.
func TestAuditActions(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for name, o := range file.Scope.Objects {
		if o.Kind == ast.Con && strings.HasPrefix(name, "Act") {
			declared++
		}
	}
	seen := map[string]bool{}
	for _, name := range AuditActions {
		seen[name] = true
		family, _, _ := strings.Cut(name, ".")
		for _, good := range []string{name, family + ".", ""} {
			if err := CheckAuditAction(good); err != nil {
				t.Errorf("%q: %v", good, err)
			}
		}
	}
	if declared < 40 || len(seen) != declared || len(AuditActions) != declared {
		t.Errorf("%d of %d actions are listed", len(seen), declared)
	}
	for sent, near := range map[string]string{"user.create": "user.created", "user": "user.", "tokn.revoked": "token.revoked", "authorisation.": "authorization.", "nope": "", ".": "", "%": "", strings.Repeat("x", 100): ""} {
		err := CheckAuditAction(sent)
		if err == nil || near != "" && !strings.Contains(err.Error(), "is it "+near+"?") || near == "" && strings.Contains(err.Error(), "is it") {
			t.Errorf("%.20q: %v", sent, err)
		}
	}
}

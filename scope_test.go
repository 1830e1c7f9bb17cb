package keystone_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/keystone-auth/keystone"
	"pgregory.net/rapid"
)

func TestParseScope(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"only spaces", "   ", nil},
		{"one", "users:read", []string{"users:read"}},
		{"sorted", "b a", []string{"a", "b"}},
		{"distinct", "a b a", []string{"a", "b"}},
		{"spaces around", " a  b ", []string{"a", "b"}},
		{"case matters", "A a", []string{"A", "a"}},
		{"URI", "https://api.example.com/read", []string{"https://api.example.com/read"}},
		{"every character of RFC 6749", "!#[]~", []string{"!#[]~"}},
		{"longest", strings.Repeat("x", 100), []string{strings.Repeat("x", 100)}},
	} {
		got, err := keystone.ParseScope(test.in)
		if err != nil || !cmp.Equal(got, test.want, cmpopts.EquateEmpty()) {
			t.Errorf("%s: got %q, %v; want %q", test.name, got, err, test.want)
		}
	}
}

func TestParseScopeRefuses(t *testing.T) {
	many := make([]string, 201)
	for i := range many {
		many[i] = "s" + strings.Repeat("x", i%90)
	}
	for _, test := range []struct{ name, in string }{
		{"quote", `a"b`}, {"backslash", `a\b`}, {"tab", "a\tb"}, {"line break", "a\nb"}, {"NUL", "a\x00"},
		{"not ASCII", "é"}, {"no-break space", "a\u00a0b"}, {"DEL", "a\x7f"}, {"invalid UTF-8", "\xff"},
		{"name too long", strings.Repeat("x", 101)},
		{"too many", strings.Join(many, " ")},
		{"one megabyte", strings.Repeat("a ", 1<<19)},
	} {
		_, err := keystone.ParseScope(test.in)
		var e *keystone.Error
		if !asError(err, &e) || e.Kind != keystone.Invalid || e.Code != "invalid_scope" {
			t.Errorf("%s: got %v, want invalid_scope", test.name, err)
		}
	}
}

func checkParsedScope(t interface{ Fatalf(string, ...any) }, s string) {
	names, err := keystone.ParseScope(s)
	if err != nil {
		return
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Fatalf("%q gave %q, which is no sorted set", s, names)
	}
	for _, n := range names {
		if keystone.ValidScopeName(n) != nil || !strings.Contains(s, n) {
			t.Fatalf("%q gave the name %q", s, n)
		}
	}
	again, err := keystone.ParseScope(keystone.FormatScope(names))
	if err != nil || !slices.Equal(again, names) {
		t.Fatalf("%q gave %q, which reads as %q, %v", s, names, again, err)
	}
}

func FuzzParseScope(f *testing.F) {
	for _, s := range []string{"", "a", "b a", "users:read users:write", `a"b`, "a\\", "\x00", "é", strings.Repeat("x ", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkParsedScope(t, s) })
}

// TestEffectiveScopes is the one rule for what a token may state.
func TestEffectiveScopes(t *testing.T) {
	for _, test := range []struct {
		name                     string
		held, allowed, requested string
		want                     string
		refused                  bool
	}{
		{name: "nothing asked: all that is left", held: "a b c", allowed: "b c d", want: "b c"},
		{name: "asked and held", held: "a b c", allowed: "b c d", requested: "b", want: "b"},
		{name: "asked but not held is left out", held: "a b", allowed: "b c", requested: "b c", want: "b"},
		{name: "asked but never allowed is refused", held: "a b", allowed: "b", requested: "a b", refused: true},
		{name: "unknown is refused", held: "a", allowed: "a", requested: "z", refused: true},
		{name: "nothing held", allowed: "a b", requested: "a", want: ""},
		{name: "nothing allowed", held: "a b", want: ""},
		{name: "nothing allowed, something asked", held: "a b", requested: "a", refused: true},
		{name: "nothing at all", want: ""},
	} {
		got, err := keystone.EffectiveScopes(strings.Fields(test.held), strings.Fields(test.allowed), strings.Fields(test.requested))
		var e *keystone.Error
		switch {
		case test.refused:
			if !asError(err, &e) || e.Code != "invalid_scope" || got != nil {
				t.Errorf("%s: got %q, %v; want invalid_scope", test.name, got, err)
			}
		case err != nil || strings.Join(got, " ") != test.want:
			t.Errorf("%s: got %q, %v; want %q", test.name, got, err, test.want)
		}
	}
}

var someScopes = rapid.Custom(func(t *rapid.T) []string {
	return keystone.SortedSet(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}), 0, 6).Draw(t, "names"))
})

// TestEffectiveScopesNeverWidens: whatever is asked, the answer is within each
// of what is held, what is allowed and what is asked.
func TestEffectiveScopesNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		held, allowed, requested := someScopes.Draw(t, "held"), someScopes.Draw(t, "allowed"), someScopes.Draw(t, "requested")
		got, err := keystone.EffectiveScopes(held, allowed, requested)
		if err != nil {
			if len(requested) == 0 || keystone.Subset(requested, allowed) {
				t.Fatalf("refused without reason: %v", err)
			}
			return
		}
		for _, s := range got {
			if !slices.Contains(held, s) || !slices.Contains(allowed, s) || len(requested) > 0 && !slices.Contains(requested, s) {
				t.Fatalf("%q was granted to holders of %q through %q who asked for %q", s, held, allowed, requested)
			}
		}
		for _, s := range held {
			wanted := slices.Contains(allowed, s) && (len(requested) == 0 || slices.Contains(requested, s))
			if wanted != slices.Contains(got, s) {
				t.Fatalf("%q is missing in %q", s, got)
			}
		}
	})
}

func TestSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := someScopes.Draw(t, "a"), someScopes.Draw(t, "b")
		both := keystone.Intersect(a, b)
		if !keystone.Subset(both, a) || !keystone.Subset(both, b) || !slices.Equal(both, keystone.Intersect(b, a)) {
			t.Fatalf("%q and %q share %q", a, b, both)
		}
		if keystone.Subset(a, b) != slices.Equal(both, a) {
			t.Fatalf("Subset(%q, %q) = %v", a, b, keystone.Subset(a, b))
		}
	})
	in := []string{"b", "a", "b"}
	if got := keystone.SortedSet(in); !slices.Equal(got, []string{"a", "b"}) || in[0] != "b" {
		t.Fatalf("got %q from %q", got, in)
	}
}

func TestScopeValidate(t *testing.T) {
	for _, test := range []struct {
		name  string
		scope keystone.Scope
		field string
	}{
		{"good", keystone.Scope{Name: "orders:read", Description: "Read orders"}, ""},
		{"no name", keystone.Scope{}, "name"},
		{"space", keystone.Scope{Name: "orders read"}, "name"},
		{"long description", keystone.Scope{Name: "x", Description: strings.Repeat("é", 501)}, "description"},
		{"control character", keystone.Scope{Name: "x", Description: "a\x1b[2J"}, "description"},
		{"invalid UTF-8", keystone.Scope{Name: "x", Description: "\xff"}, "description"},
	} {
		if err := test.scope.Validate(); test.field == "" && err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if test.field != "" {
			wantField(t, test.name, err, test.field)
		}
	}
}

func TestBuiltInScopes(t *testing.T) {
	names := keystone.BuiltInScopeNames()
	if len(names) != len(keystone.BuiltInScopes) || len(keystone.SortedSet(names)) != len(names) {
		t.Fatalf("the names are not distinct: %q", names)
	}
	for _, s := range keystone.BuiltInScopes {
		if err := s.Validate(); err != nil || s.Description == "" || !keystone.IsBuiltInScope(s.Name) {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	if keystone.IsBuiltInScope("orders:read") || keystone.IsBuiltInScope("") {
		t.Error("a foreign scope counts as built in")
	}
}

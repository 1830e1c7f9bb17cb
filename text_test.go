package keystone_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/keystone-auth/keystone"
	"pgregory.net/rapid"
)

func TestFoldUsername(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "jane", "jane"},
		{"mixed case", "JaNe", "jane"},
		{"digits and marks", "jane.doe-99_x+y", "jane.doe-99_x+y"},
		{"full width", "Ｊａｎｅ", "jane"},
		{"accent, composed", "José", "josé"},
		{"accent, decomposed", "Jose\u0301", "josé"},
		{"German", "STRAẞE", "straße"},
		{"Cyrillic", "Иван", "иван"},
		{"Greek", "ΣΊΣΥΦΟΣ", "σίσυφοσ"},
		{"Japanese, three scripts", "山田タロウさん", "山田タロウさん"},
		{"Japanese with long vowel", "スーパー", "スーパー"},
		{"half width katakana", "ﾀﾛｳ", "タロウ"},
		{"Korean with hanja", "김金수", "김金수"},
		{"Chinese with Bopomofo", "王ㄅㄆ", "王ㄅㄆ"},
		{"Hebrew", "שלום", "שלום"},
		{"Arabic", "مريم", "مريم"},
		{"Devanagari with marks", "हिन्दी", "हिन्दी"},
		{"digits of no script", "王1980", "王1980"},
		{"longest", strings.Repeat("é", 50), strings.Repeat("é", 50)},
		{"shortest", "x", "x"},
	} {
		got, err := keystone.FoldUsername(test.in)
		if err != nil || got != test.want {
			t.Errorf("%s: FoldUsername(%q) = %q, %v; want %q", test.name, test.in, got, err, test.want)
		}
	}
}

func TestFoldUsernameRefuses(t *testing.T) {
	for _, test := range []struct{ name, in string }{
		{"empty", ""},
		{"too long", strings.Repeat("a", 51)},
		{"too long, wide", strings.Repeat("あ", 51)},
		{"one megabyte", strings.Repeat("a", 1<<20)},
		{"invalid UTF-8", "ja\xffne"},
		{"cut rune", "jan\xc3"},
		{"surrogate half", "jan\xed\xa0\x80"},
		{"NUL", "ja\x00ne"},
		{"control", "ja\nne"},
		{"space", "jane doe"},
		{"space before", " jane"},
		{"no-break space", "jane\u00a0doe"},
		{"ideographic space", "山田\u3000太郎"},
		{"at sign", "jane@example.com"},
		{"full width at sign", "jane＠example.com"},
		{"colon", "jane:doe"},
		{"slash", "jane/doe"},
		{"quote", `jane"doe`},
		{"angle brackets", "<script>"},
		{"emoji", "jane😀"},
		{"form of an id", "0197b3c2-0000-7000-8000-000000000001"},
		{"form of an id, upper case", "0197B3C2-0000-7000-8000-00000000000A"},
		{"only marks", "._-"},
		{"only a dot", "."},
		{"Latin and Cyrillic", "j\u0430ne"}, // Cyrillic а
		{"Cyrillic and Latin", "\u0430bc"},
		{"Latin and Greek", "jαne"},
		{"Latin and Japanese", "janeさん"},
		{"Japanese and Latin", "さんjane"},
		{"Japanese and Korean", "さん김"},
		{"Cyrillic and Greek", "иα"},
		{"bidi override", "jane\u202eenaj"},
		{"bidi isolate", "\u2066jane\u2069"},
		{"bidi mark", "jane\u200f"},
		{"zero width space", "ja\u200bne"},
		{"zero width joiner", "ja\u200dne"},
		{"byte order mark", "\ufeffjane"},
		{"soft hyphen", "ja\u00adne"},
		{"tag characters", "jane\U000e0061"},
		{"right to left mixed with left to right", "שjane"},
		{"mathematical letters", "𝐣𝐚𝐧𝐞"},
		{"private use", "jane\ue000"},
		{"unassigned", "jane\U0003fffe"},
	} {
		got, err := keystone.FoldUsername(test.in)
		wantField(t, test.name, err, "username")
		if got != "" {
			t.Errorf("%s: a refused name has the key %q", test.name, got)
		}
	}
}

// TestFoldUsernameTwins are pairs that people take for one name (same: they have
// one key) and pairs that must stay two.
func TestFoldUsernameTwins(t *testing.T) {
	for _, test := range []struct {
		name, a, b string
		same       bool
	}{
		{"case", "Admin", "aDMIN", true},
		{"width", "Ａdmin", "admin", true},
		{"composition", "e\u0301ric", "éric", true},
		{"Ångström sign", "\u212bngstrom", "ångstrom", true},
		{"Kelvin sign", "\u212aelvin", "kelvin", true},
		{"dotless i", "adm\u0131n", "admin", false},
		{"accent", "jose", "josé", false},
		{"sharp s", "strasse", "straße", false},
		{"dot", "jane.doe", "janedoe", false},
	} {
		a, errA := keystone.FoldUsername(test.a)
		b, errB := keystone.FoldUsername(test.b)
		if errA != nil || errB != nil {
			t.Errorf("%s: %v, %v", test.name, errA, errB)
		} else if (a == b) != test.same {
			t.Errorf("%s: %q and %q have the keys %q and %q", test.name, test.a, test.b, a, b)
		}
	}
}

// TestFoldUsernameIsStable: a key is a name whose key it is, in any case.
func TestFoldUsernameIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { foldTwice(t, rapid.String().Draw(t, "name")) })
	letters := rapid.StringOfN(rapid.RuneFrom([]rune("aÄßıİſKΣςσжЖあ漢김ｶﾞ1.-")), 1, 8, -1)
	rapid.Check(t, func(t *rapid.T) { foldTwice(t, letters.Draw(t, "name")) })
}

func foldTwice(t interface{ Fatalf(string, ...any) }, s string) {
	key, err := keystone.FoldUsername(s)
	if err != nil {
		return
	}
	if !utf8.ValidString(key) || key == "" || strings.ContainsAny(key, "@ \x00\n/:") {
		t.Fatalf("%q has the key %q", s, key)
	}
	again, err := keystone.FoldUsername(key)
	if err != nil || again != key {
		t.Fatalf("%q has the key %q, which has the key %q (%v)", s, key, again, err)
	}
}

func FuzzFoldUsername(f *testing.F) {
	for _, s := range []string{"jane", "Ｊａｎｅ", "山田タロウ", "j\u0430ne", "İ", "a\u0307", "\u1e9b\u0323", "ϓ", "\u202e", "\xff", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { foldTwice(t, s) })
}

func TestFoldEmail(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "jane@example.com", "jane@example.com"},
		{"case of both sides", "Jane@EXAMPLE.com", "jane@example.com"},
		{"plus tag stays", "jane+shop@example.com", "jane+shop@example.com"},
		{"dots stay", "j.a.n.e@example.com", "j.a.n.e@example.com"},
		{"all atoms", "!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"},
		{"subdomain", "jane@a.b-c.example", "jane@a.b-c.example"},
		{"xn--", "jane@XN--BCHER-KVA.example", "jane@xn--bcher-kva.example"},
		{"localhost", "jane@localhost", "jane@localhost"},
		{"longest local part", strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
	} {
		got, err := keystone.FoldEmail(test.in)
		if err != nil || got != test.want {
			t.Errorf("%s: FoldEmail(%q) = %q, %v; want %q", test.name, test.in, got, err, test.want)
		}
	}
}

func TestFoldEmailRefuses(t *testing.T) {
	for _, test := range []struct{ name, in string }{
		{"empty", ""},
		{"no at", "jane.example.com"},
		{"no local part", "@example.com"},
		{"no domain", "jane@"},
		{"two ats", "jane@doe@example.com"},
		{"quoted", `"jane doe"@example.com`},
		{"comment", "jane(x)@example.com"},
		{"display name", "Jane <jane@example.com>"},
		{"space", "jane @example.com"},
		{"space after", "jane@example.com "},
		{"line break", "jane@example.com\nBcc: x@example.com"},
		{"NUL", "ja\x00ne@example.com"},
		{"dot first", ".jane@example.com"},
		{"dot last", "jane.@example.com"},
		{"two dots", "ja..ne@example.com"},
		{"two addresses", "jane@example.com,john@example.com"},
		{"dotless i in local part", "m\u0131ke@example.com"}, // would upper-case to MIKE
		{"Kelvin sign", "mi\u212ae@example.com"},             // would lower-case to mike
		{"long s in domain", "jane@github.\u017fh"},
		{"full width", "ｊane@example.com"},
		{"one label", "jane@example"},
		{"empty label", "jane@example..com"},
		{"dot at the end", "jane@example.com."},
		{"hyphen first", "jane@-example.com"},
		{"hyphen last", "jane@example-.com"},
		{"underscore in domain", "jane@ex_ample.com"},
		{"address literal", "jane@[127.0.0.1]"},
		{"invalid UTF-8", "ja\xffne@example.com"},
		{"local part of 65", strings.Repeat("a", 65) + "@example.com"},
		{"label of 64", "jane@" + strings.Repeat("a", 64) + ".com"},
		{"255 characters", "jane@" + strings.Repeat("a.", 123) + "comm"},
	} {
		_, err := keystone.FoldEmail(test.in)
		wantField(t, test.name, err, "email")
	}
}

func TestFoldEmailIsStable(t *testing.T) {
	address := rapid.StringMatching(`[A-Za-z0-9+_.\-]{1,12}@[A-Za-z0-9\-]{1,8}\.[A-Za-z]{2,5}`)
	rapid.Check(t, func(t *rapid.T) {
		s := address.Draw(t, "address")
		key, err := keystone.FoldEmail(s)
		if err != nil {
			return
		}
		if key != strings.ToLower(s) {
			t.Fatalf("%q has the key %q", s, key)
		}
		if upper, err := keystone.FoldEmail(strings.ToUpper(s)); err != nil || upper != key {
			t.Fatalf("%q in capitals has the key %q, %v", s, upper, err)
		}
	})
}

func TestFoldTerm(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"  Jane ", "jane"}, {"ＪＡＮＥ", "jane"}, {"ﬁnn", "finn"}, {"Jane Doe", "jane doe"}, {"%_", "%_"}, {"   ", ""},
	} {
		if got := keystone.FoldTerm(test.in); got != test.want {
			t.Errorf("FoldTerm(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

// wantField fails unless err is an Invalid about the field and repeats nothing.
func wantField(t *testing.T, name string, err error, field string) {
	t.Helper()
	var e *keystone.Error
	if !asError(err, &e) || e.Kind != keystone.Invalid || e.Fields[field] == "" {
		t.Errorf("%s: got %v, want a reason for the field %s", name, err, field)
	}
}

package password

import (
	"errors"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
)

func mustPolicy(t testing.TB, profile string, o Overrides) Policy {
	t.Helper()
	p, err := NewPolicy(profile, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The beginnings of the reasons, in the order in which they are given.
const (
	short   = "Use at least"
	control = "Leave out control"
	upper   = "Add an upper"
	lower   = "Add a lower"
	digit   = "Add a digit"
	special = "Add a character"
	common  = "This is one of the most common"
	regular = "This repeats or counts"
	about   = "This is mostly"
)

func TestPolicy(t *testing.T) {
	yes, no := true, false
	modern := mustPolicy(t, "modern", Overrides{})
	nist := mustPolicy(t, "nist", Overrides{})
	seed := mustPolicy(t, "seed", Overrides{})
	for _, test := range []struct {
		policy   Policy
		password string
		broken   []string
	}{
		{modern, "correct horse battery", nil},
		{modern, "kein gro\u00dfer", []string{short}},
		{modern, "kein großer!", nil},
		{modern, "пароль-длинный", nil},
		{modern, "長い長い暗号のことばです", nil},
		{modern, "🐎🔋📎🐎🔋📎🐎🔋📎🌍🎈", []string{short}},
		{modern, "🐎🔋📎🐎🔋📎🐎🔋📎🌍🎈🍀", nil},
		{modern, "pa\u0308sswo\u0308rte\u0301", []string{short}},
		{modern, "", []string{short}},
		{modern, "password", []string{short, common}},
		{modern, "passwordpassword", []string{common}},
		{modern, "PassWordPassWord", []string{common}},
		{modern, "123456789012", []string{common, regular}},
		{modern, "aaaaaaaaaaaaaaaaaaaaa", []string{regular}},
		{modern, "xyzzyxyzzyxyzzy", nil},
		{modern, "x9$!x9$!x9$!x9$!", []string{regular}},
		{modern, "tab\tand more words", []string{control}},
		{modern, strings.Repeat("correct horse ", 73), nil},
		{modern, strings.Repeat("correct horse ", 74), []string{"A password has at most 1024 bytes."}},
		{modern, "correct\x00horse battery", []string{"A password cannot contain the NUL"}},
		{modern, "correct\xffhorse battery", []string{"Send the password as valid UTF-8."}},
		{nist, "correct horse!", []string{short}},
		{nist, "correct horse!!", nil},
		{nist.WithSecondFactor(), "correct", []string{short}},
		{nist.WithSecondFactor(), "corr-hrs", nil},
		{modern.WithSecondFactor(), "correct-hrs", []string{short}},
		{mustPolicy(t, "nist", Overrides{MinLength: 20}).WithSecondFactor(), "correct-hrs", []string{short}},
		{seed, "Xk9$w2Qz", nil},
		{seed, "Password1!", nil},
		{seed, "Aa1!Aa1!", nil},
		{seed, "horse", []string{short, upper, digit, special}},
		{seed, "HORSES99", []string{lower, special}},
		{seed, "        ", []string{upper, lower, digit}},
		{seed, "Ärger-٣٤٥٦", nil},
		{mustPolicy(t, "seed", Overrides{RequireSpecial: &no, RequireUpper: &no}), "horses99x", nil},
		{mustPolicy(t, "modern", Overrides{RequireDigits: &yes, MinLength: 8}), "corr-hrs", []string{digit}},
		{mustPolicy(t, "modern", Overrides{RequireUpper: &yes, RequireLower: &yes, RequireSpecial: &yes}), "123987456034", []string{upper, lower, special}},
		{Policy{}, "", []string{short}},
	} {
		expectReasons(t, test.policy, test.password, nil, test.broken)
	}
}

func expectReasons(t *testing.T, p Policy, password string, words, broken []string) {
	t.Helper()
	words = append(words, "", "", "")
	u := keystone.User{Username: words[0], Email: words[1], LastName: words[2]}
	reasons := p.Reasons(password, u)
	same := len(reasons) == len(broken)
	for i := range broken {
		same = same && strings.HasPrefix(reasons[i], broken[i])
	}
	if !same {
		t.Errorf("%s, %.40q, %q:\n  says %q\n  want %q", p.profile, password, words, reasons, broken)
	}
	err := p.Check(password, u)
	if len(broken) == 0 {
		if err != nil {
			t.Errorf("%.40q: %v", password, err)
		}
		return
	}
	var e *keystone.Error
	if !errors.As(err, &e) || e.Kind != keystone.Invalid || e.Fields["password"] != strings.Join(reasons, " ") {
		t.Errorf("%.40q: %v, want every reason in the field password", password, err)
	}
}

func TestContextWords(t *testing.T) {
	modern := mustPolicy(t, "modern", Overrides{AppName: "Keystone"})
	jane := []string{"jane.doe", "Jane.Doe@mail.example.org", "Featherstone"}
	for _, test := range []struct {
		password string
		words    []string
		refused  bool
	}{
		{"correct horse battery", jane, false},
		{"jane.doe@mail.example.org", jane, true},
		{"JANE-DOE-JANE-DOE", jane, true},
		{"janedoe12345", jane, true},
		{"keystone2026!", jane, true},
		{"Ｋｅｙｓｔｏｎｅ keystone", jane, true},
		{"keystonekeystone", jane, true},
		{"example-example-1", jane, false}, // the domain is many people's
		{"Example-Passw0rd-1", []string{"demo", "demo@example.com"}, false},
		{"mail.example.org", jane, false},
		{"jane.doe@mail", jane, true},
		{"JaneDoeMailExampleOrg1", []string{"x", jane[1]}, true}, // the address, in other letters
		{"demo@example.com", []string{"al", "demo@example.com"}, true},
		{"example@example.com", []string{"al", "example@example.com"}, true},
		{"example-example-1", []string{"al", "example@test.example"}, true}, // it is the local part, too
		{"no-address-at-all", []string{"al", "@"}, false},
		{"jane1q2w3e4r5t", jane, true}, // what is left is common
		{"jane featherstone", jane, true},
		{"jane likes correct horses", jane, false},
		{"my keystone opens the door", jane, false},
		{"doe, a deer, a female deer", jane, false},
		{"-------------?", jane, false},
		{"al-al-al-correct", []string{"al", "a@b.c", ""}, false}, // too short to mean anything
		{"имя-фамилия-имя", []string{"имя", "фамилия"}, true},
		{"correct horse battery", []string{strings.Repeat("x", 5000), "\xff"}, false},
	} {
		var broken []string
		if test.refused {
			broken = []string{about}
		}
		expectReasons(t, modern, test.password, test.words, broken)
	}
}

// TestSeedKnowsNobody: the profile seed asks for length and composition, nothing else.
func TestSeedKnowsNobody(t *testing.T) {
	seed := mustPolicy(t, "seed", Overrides{AppName: "Keystone"})
	for _, password := range []string{"Jane.Doe1", "Keystone-1", "Featherstone1!", "Jane.Doe@example.org1"} {
		expectReasons(t, seed, password, []string{"jane.doe", "jane.doe@example.org", "Featherstone"}, nil)
	}
}

func TestPattern(t *testing.T) {
	for password, want := range map[string]bool{
		"": false, "a": false, "ab": false, "aa": true, "abc": true, "ABCDEFGHIJKL": true, "zyxwvutsrqpo": true, "890123456789": true, "210987654321": true,
		"xyzabcdef": true, "abababababab": true, "abcdabcdabc": true, "abcdeabcdeabcde": false, "abcdefghijkm": false, "😀😁😂😃": true, "correct": false,
	} {
		if got := isPattern(password); got != want {
			t.Errorf("%q: %v, want %v", password, got, want)
		}
	}
}

func TestNewPolicyRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		profile string
		o       Overrides
		says    string
	}{
		"no profile":  {"", Overrides{}, "PASSWORD_PROFILE"},
		"unknown":     {"strict", Overrides{}, "PASSWORD_PROFILE"},
		"7":           {"modern", Overrides{MinLength: 7}, "PASSWORD_MIN_LENGTH"},
		"65":          {"modern", Overrides{MinLength: 65}, "PASSWORD_MIN_LENGTH"},
		"negative":    {"modern", Overrides{MinLength: -1}, "PASSWORD_MIN_LENGTH"},
		"upper case?": {"Modern", Overrides{}, "PASSWORD_PROFILE"},
	} {
		if _, err := NewPolicy(test.profile, test.o); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want something about %s", name, err, test.says)
		}
	}
}

func TestDescribe(t *testing.T) {
	for profile, want := range map[string]int{"modern": 4, "nist": 4, "seed": 5} {
		if got := mustPolicy(t, profile, Overrides{}).Describe(); len(got) != want || !strings.HasPrefix(got[0], "At least") {
			t.Errorf("%s: %q, want %d rules", profile, got, want)
		}
	}
}

// FuzzCheck: no password and no context words make the policy panic, and what
// it allows can be hashed.
func FuzzCheck(f *testing.F) {
	f.Add("correct horse battery", "jane", "jane.doe@example.org")
	f.Add("\xff\x00", "\xff", "@")
	f.Add(strings.Repeat("ä", 600), "ä", "")
	policy := mustPolicy(f, "modern", Overrides{})
	f.Fuzz(func(t *testing.T, password, name, mail string) {
		if policy.Check(password, keystone.User{Username: name, Email: mail}) == nil {
			if _, err := prepare(password); err != nil {
				t.Error(err)
			}
		}
	})
}

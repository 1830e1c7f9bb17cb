package config

import (
	"strings"
	"testing"
)

func TestParseFile(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"\n \n# comment\n\t# comment\n", ""},
		{"A=1", "A=1@1"},
		{"A=1\r\nB=2\r\n", "A=1@1 B=2@2"},
		{"\ufeffA=1", "A=1@1"},
		{"  export   A = 1  ", "A=1@1"},
		{"A=", "A=@1"},
		{"A= # nothing", "A=@1"},
		{"A=#color", "A=#color@1"},
		{"A=a#b # comment", "A=a#b@1"},
		{"A=a=b=c", "A=a=b=c@1"},
		{"A=$HOME`id`\\n", "A=$HOME`id`\\n@1"},
		{"A='a # \"b\" \\n' # comment", "A=a # \"b\" \\n@1"},
		{`A="a\"b\\c"`, `A=a"b\c@1`},
		{`A="a\tb"#c`, "A=a\tb@1"},
		{"A=it's", "A=it's@1"},
		{"_a1=x", "_a1=x@1"},
	} {
		entries, errs := parseFile(test.text)
		if len(errs) > 0 {
			t.Errorf("%q: %v", test.text, errs)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.name+"="+e.value+"@"+string(rune('0'+e.line)))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
	for _, text := range []string{
		"A", "=1", "1A=1", "A B=1", "A-B=1", "export", "export =1", "Ä=1", ": A=1",
		`A="a`, `A='a`, `A="a\`, `A="a\"`, `A="\x"`, `A="a"b`, `A='a' b`, "A=\x00", "A=\xff",
	} {
		if entries, errs := parseFile("OK=1\n" + text); len(errs) == 0 {
			t.Errorf("%q: accepted as %v", text, entries)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	for _, s := range []string{"A=1", "export A='x' # c", "A=\"\\n\\\"\\\\\"", "\ufeff# x\r\nB = y#z #c", "A=\nA=", "A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, errs := parseFile(text)
		if len(entries)+len(errs) > strings.Count(text, "\n")+1 {
			t.Error("more came out than there are lines")
		}
		for _, e := range entries {
			// What was read can be written, in quotes, and read again.
			quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(e.value)
			again, errs := parseFile(e.name + `="` + quoted + `"`)
			if len(errs) > 0 || len(again) != 1 || again[0].name != e.name || again[0].value != e.value {
				t.Errorf("%v: written again, it reads %v %v", e.value, again, errs)
			}
		}
		for _, err := range errs {
			if strings.ContainsAny(err.Error(), "\n\r\x00") {
				t.Errorf("an error of more than one line: %q", err)
			}
		}
	})
}

// FuzzLoad: no text makes Load panic, accept and refuse, or print control characters.
func FuzzLoad(f *testing.F) {
	f.Add("DATABASE_URL", "postgresql+asyncpg://a:b@c/d")
	f.Add("ISSUER", "https://id.example.com")
	f.Add("ALLOWED_ORIGINS", `["https://a"]`)
	f.Add("TRUSTED_PROXIES", "10.0.0.0/8")
	f.Add("RATE_LIMIT_API", "1/day")
	f.Add("MASTER_KEY", randomKey)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name, value string) {
		if strings.HasSuffix(name, "_FILE") || strings.Contains(name, "=") {
			return
		}
		c, err := Load(Options{Environ: []string{name + "=" + value}, Dir: dir})
		if (c == nil) == (err == nil) {
			t.Error("neither settings nor problems, or both")
		}
		if err != nil && strings.ContainsAny(err.Error(), "\x00\r\x1b") {
			t.Errorf("control characters in a message: %q", err)
		}
	})
}

package secret_test

import (
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/internal/secret"
)

func TestUserCode(t *testing.T) {
	seen, letters := map[string]bool{}, map[rune]int{}
	for range 4000 {
		code := secret.UserCode()
		if len(code) != 9 || code[4] != '-' || seen[code] {
			t.Fatalf("%q", code)
		}
		seen[code] = true
		plain, ok := secret.ParseUserCode(code)
		if !ok || secret.FormatUserCode(plain) != code {
			t.Fatalf("%q reads as %q", code, plain)
		}
		for _, c := range plain {
			letters[c]++
		}
	}
	if len(letters) != 20 {
		t.Errorf("%d letters are used", len(letters))
	}
	for c, n := range letters { // 1600 expected, 39 the deviation
		if n < 1350 || n > 1850 {
			t.Errorf("%c occurs %d times of 32000", c, n)
		}
	}
}

func TestParseUserCode(t *testing.T) {
	for typed, want := range map[string]string{
		"WDJB-MJHT": "WDJBMJHT", "wdjbmjht": "WDJBMJHT", " wd jb - mj ht ": "WDJBMJHT", "WDJB_MJHT": "WDJBMJHT", "W.D.J.B.M.J.H.T": "WDJBMJHT",
		"": "", "WDJB-MJH": "", "WDJB-MJHTT": "", "WDJB-MJHA": "", "WDJB-MJH0": "", "WDJB\x00MJHT": "", "ＷDJB-MJHT": "", "WDJB-MJHT" + strings.Repeat(" ", 60): "",
	} {
		got, ok := secret.ParseUserCode(typed)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %t", typed, got, ok)
		}
	}
}

// FuzzUserCode: whatever is typed is refused or is one code with one spelling.
func FuzzUserCode(f *testing.F) {
	for _, seed := range []string{"WDJB-MJHT", "wdjb mjht", "", "--------", "WDJBMJHTX", "ＷDJB-MJHT", "\xff", "AEIO-UYLI"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		letters, ok := secret.ParseUserCode(typed)
		if !ok {
			return
		}
		if len(letters) != 8 || strings.Trim(letters, "BCDFGHJKLMNPQRSTVWXZ") != "" {
			t.Fatalf("%q reads as %q", typed, letters)
		}
		again, ok := secret.ParseUserCode(secret.FormatUserCode(letters))
		if !ok || again != letters {
			t.Fatalf("%q reads as %q, and that as %q", typed, letters, again)
		}
	})
}

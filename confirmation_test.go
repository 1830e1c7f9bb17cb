package keystone

import (
	"strings"
	"testing"
)

func TestConfirmation(t *testing.T) {
	for _, test := range []struct {
		name         string
		bound, shown Confirmation
		want         bool
	}{
		{"a bearer token asks for nothing", Confirmation{}, Confirmation{}, true},
		{"and takes whatever is shown", Confirmation{}, Confirmation{"a", "b"}, true},
		{"the key", Confirmation{JKT: "a"}, Confirmation{JKT: "a"}, true},
		{"another key", Confirmation{JKT: "a"}, Confirmation{JKT: "b"}, false},
		{"no key", Confirmation{JKT: "a"}, Confirmation{}, false},
		{"the certificate", Confirmation{X5T: "a"}, Confirmation{X5T: "a"}, true},
		{"no certificate", Confirmation{X5T: "a"}, Confirmation{JKT: "a"}, false},
		{"one of both", Confirmation{"a", "b"}, Confirmation{JKT: "a"}, false},
		{"both", Confirmation{"a", "b"}, Confirmation{"a", "b"}, true},
	} {
		if got := test.bound.HeldBy(test.shown); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
	if !(Confirmation{}).IsZero() || (Confirmation{JKT: "a"}).IsZero() {
		t.Error("IsZero")
	}
}

func TestIsThumbprint(t *testing.T) {
	good := "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" // of RFC 9449 section 6.1
	for s, want := range map[string]bool{
		good: true, "": false, good[:42]: false, good + "A": false, good + "=": false,
		strings.Replace(good, "-", "+", 1): false, strings.Replace(good, "Z", " ", 1): false,
	} {
		if IsThumbprint(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}

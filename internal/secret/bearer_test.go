package secret

import (
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestNewIsWellFormedAndFresh(t *testing.T) {
	shape := regexp.MustCompile(`^ks_(cs|at|ot)_[A-Za-z0-9_-]{49}$`)
	seen := map[string]bool{}
	for _, prefix := range []string{ClientSecret, AccessToken, OneTime} {
		for range 2000 {
			s := New(prefix)
			if !shape.MatchString(s) || !strings.HasPrefix(s, prefix) {
				t.Fatalf("New(%q) has another shape than documented", prefix)
			}
			if !WellFormed(prefix, s) {
				t.Fatalf("New(%q) is not well formed", prefix)
			}
			if random := s[len(prefix) : len(prefix)+43]; seen[random] {
				t.Fatal("the same value twice")
			} else {
				seen[random] = true
			}
		}
	}
}

// Every position of the random part must take many values: a constant or slowly
// counting character would show (SECURITY.md S4).
func TestNewHasNoFixedCharacter(t *testing.T) {
	var values [42]map[byte]bool // the 43rd has four bits only
	for range 2000 {
		s := New(AccessToken)[len(AccessToken):]
		for i := range values {
			if values[i] == nil {
				values[i] = map[byte]bool{}
			}
			values[i][s[i]] = true
		}
	}
	for i, v := range values {
		if len(v) < 60 {
			t.Errorf("character %d took %d of 64 values in 2000 draws", i, len(v))
		}
	}
}

func TestNewRefusesToInventRefreshTokens(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New(RefreshToken) returned")
		}
	}()
	New(RefreshToken)
}

func TestWellFormedRefusesEveryChange(t *testing.T) {
	refresh := NewMasterKey().RefreshTokens()
	for prefix, s := range map[string]string{
		ClientSecret: New(ClientSecret),
		RefreshToken: refresh.Format([16]byte{1}, 7),
	} {
		if !WellFormed(prefix, s) {
			t.Fatalf("%s: the value itself is refused", prefix)
		}
		for i := range s {
			for _, c := range "AQgwz09-_=+/ \n\x00" {
				changed := s[:i] + string(c) + s[i+1:]
				if changed != s && WellFormed(prefix, changed) {
					t.Errorf("%s: character %d changed to %q is accepted", prefix, i, c)
				}
			}
			if WellFormed(prefix, s[:i]) {
				t.Errorf("%s: cut to %d characters is accepted", prefix, i)
			}
			if WellFormed(prefix, s[:i]+"\n"+s[i:]) {
				t.Errorf("%s: with a line break at %d is accepted", prefix, i)
			}
		}
		for _, more := range []string{"A", "=", " ", "\n", s} {
			if WellFormed(prefix, s+more) || WellFormed(prefix, more+s) {
				t.Errorf("%s: extended by %q is accepted", prefix, more)
			}
		}
		if WellFormed(OneTime, s) || WellFormed("", s) || WellFormed(s, s) {
			t.Errorf("%s: accepted under another prefix", prefix)
		}
	}
}

func TestHash(t *testing.T) {
	want := sha256.Sum256([]byte("abc"))
	if !Equal(Hash("abc"), want[:]) {
		t.Error("Hash is not SHA-256")
	}
	if Equal(Hash("abc"), Hash("abd")) || Equal(Hash("abc"), Hash("abc")[:31]) || Equal(Hash("abc"), nil) {
		t.Error("Equal takes different values for equal")
	}
}

func FuzzWellFormed(f *testing.F) {
	f.Add(ClientSecret, New(ClientSecret))
	f.Add(RefreshToken, NewMasterKey().RefreshTokens().Format([16]byte{}, 0))
	f.Add("", "")
	f.Add("ks_at_", "ks_at_"+strings.Repeat("A", 49))
	f.Fuzz(func(t *testing.T, prefix, s string) {
		if !WellFormed(prefix, s) {
			return
		}
		// What is accepted has one spelling: writing it again gives the same.
		body := s[len(prefix) : len(s)-checksumLen]
		b, err := encoding.DecodeString(body)
		if err != nil || seal(prefix, b) != s {
			t.Errorf("accepted %q, which New would not write", s)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(AccessToken)
	}
}

func BenchmarkWellFormed(b *testing.B) {
	s := New(AccessToken)
	b.ReportAllocs()
	for b.Loop() {
		WellFormed(AccessToken, s)
	}
}

// TestNewAt: the time is read from the value, which has the shape of every other and no
// character that stands still.
func TestNewAt(t *testing.T) {
	at := time.UnixMilli(1_795_000_000_123)
	var seen [42]map[byte]bool // the 43rd has four bits only
	for range 2000 {
		s := NewAt(AccessToken, at)
		if got, ok := TimeOf(AccessToken, s); !ok || !got.Equal(at) || !WellFormed(AccessToken, s) {
			t.Fatalf("%s: %s %v", s, got, ok)
		}
		for i := range seen {
			if seen[i] == nil {
				seen[i] = map[byte]bool{}
			}
			seen[i][s[len(AccessToken)+i]] = true
		}
	}
	for i, v := range seen {
		if len(v) < 60 {
			t.Errorf("character %d took %d of 64 values in 2000 draws", i, len(v))
		}
	}
	s := NewAt(AccessToken, at)
	for _, wrong := range []string{"", "x", AccessToken, s[:len(s)-1], s + "A", "ks_ot_" + s[6:], strings.ToUpper(s)} {
		if _, ok := TimeOf(AccessToken, wrong); ok {
			t.Errorf("%q has a time", wrong)
		}
	}
}

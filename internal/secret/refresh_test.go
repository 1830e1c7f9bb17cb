package secret

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestRefreshTokensRoundTrip(t *testing.T) {
	r := NewMasterKey().RefreshTokens()
	seen := map[string]bool{}
	for _, family := range [][16]byte{{}, {1}, {15: 1}, {0: 0xff, 15: 0xff}} {
		for _, generation := range []uint32{0, 1, 2, 255, 256, math.MaxUint32} {
			token := r.Format(family, generation)
			if seen[token] {
				t.Fatal("two generations share a token")
			}
			seen[token] = true
			if !WellFormed(RefreshToken, token) || len(token) != 82 {
				t.Errorf("family %x generation %d: not well formed, or not 82 characters", family, generation)
			}
			if again := r.Format(family, generation); again != token {
				t.Error("the same generation gives another token: the grace window would break")
			}
			f, g, ok := r.Parse(token)
			if !ok || f != family || g != generation {
				t.Errorf("Parse(Format(%x, %d)) = %x, %d, %v", family, generation, f, g, ok)
			}
		}
	}
}

// A valid checksum is no proof: anybody can compute it.
func TestRefreshTokensRefuseForgery(t *testing.T) {
	k := NewMasterKey()
	r := k.RefreshTokens()
	family := [16]byte{1, 2, 3}
	forge := func(change func(b []byte)) string {
		var b [refreshLen]byte
		if !unseal(RefreshToken, r.Format(family, 5), b[:]) {
			t.Fatal("own token does not unseal")
		}
		change(b[:])
		return seal(RefreshToken, b[:])
	}
	otherPurpose := k.MAC("something else")
	for name, token := range map[string]string{
		"next generation":   forge(func(b []byte) { binary.BigEndian.PutUint32(b[16:], 6) }),
		"other family":      forge(func(b []byte) { b[0] ^= 1 }),
		"no MAC":            forge(func(b []byte) { clear(b[20:]) }),
		"last bit of MAC":   forge(func(b []byte) { b[refreshLen-1] ^= 1 }),
		"other purpose":     forge(func(b []byte) { s := otherPurpose.Sum(b[:20]); copy(b[20:], s[:]) }),
		"other master key":  NewMasterKey().RefreshTokens().Format(family, 5),
		"other kind":        New(ClientSecret),
		"empty":             "",
		"prefix only":       RefreshToken,
		"right, then a dot": r.Format(family, 5) + ".",
	} {
		if f, g, ok := r.Parse(token); ok || f != [16]byte{} || g != 0 {
			t.Errorf("%s: Parse gives %x, %d, %v", name, f, g, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	r := NewMasterKey().RefreshTokens()
	f.Add(r.Format([16]byte{1}, 1))
	f.Add(NewMasterKey().RefreshTokens().Format([16]byte{1}, 1))
	f.Add("ks_rt_")
	f.Fuzz(func(t *testing.T, token string) {
		if family, generation, ok := r.Parse(token); ok && r.Format(family, generation) != token {
			t.Errorf("accepted %q, which Format would not write", token)
		}
	})
}

func BenchmarkRefreshTokens(b *testing.B) {
	r := NewMasterKey().RefreshTokens()
	token := r.Format([16]byte{1}, 1)
	b.Run("Format", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Format([16]byte{1}, 1)
		}
	})
	b.Run("Parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Parse(token)
		}
	})
}

package secret

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func TestSealOpensOnlyInItsPlace(t *testing.T) {
	k := NewMasterKey()
	plain := []byte("a private key")
	sealed, err := k.Seal("signing-key", plain, "keys", "id-1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open("signing-key", sealed, "keys", "id-1"); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("does not open where it was sealed: %q, %v", got, err)
	}
	if bytes.Contains(sealed, plain) {
		t.Error("the plaintext is inside")
	}
	for _, test := range []struct {
		name, purpose string
		key           MasterKey
		bind          []string
	}{
		{"another row", "signing-key", k, []string{"keys", "id-2"}},
		{"another purpose", "totp", k, []string{"keys", "id-1"}},
		{"shifted bind", "signing-key", k, []string{"keysid-1"}},
		{"shifted boundary", "signing-key", k, []string{"keysi", "d-1"}},
		{"less bind", "signing-key", k, []string{"keys"}},
		{"more bind", "signing-key", k, []string{"keys", "id-1", ""}},
		{"no bind", "signing-key", k, nil},
		{"another master key", "signing-key", NewMasterKey(), []string{"keys", "id-1"}},
	} {
		if got, err := test.key.Open(test.purpose, sealed, test.bind...); !errors.Is(err, ErrSealed) || got != nil {
			t.Errorf("%s: opens: %q, %v", test.name, got, err)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := k.Open("signing-key", changed, "keys", "id-1"); !errors.Is(err, ErrSealed) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := k.Open("signing-key", sealed[:i], "keys", "id-1"); !errors.Is(err, ErrSealed) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
}

func TestSealIsRandomised(t *testing.T) {
	k := NewMasterKey()
	a, errA := k.Seal("p", nil)
	b, errB := k.Seal("p", nil)
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("the same value twice: %v %v", errA, errB)
	}
	if got, err := k.Open("p", a); err != nil || len(got) != 0 {
		t.Errorf("an empty value does not open: %q, %v", got, err)
	}
}

// What was written by an earlier release must open with every later one.
func TestFormatsStay(t *testing.T) {
	k, err := ParseMasterKey("mE4Dh2tRkVvX0yJq3bW8sLxNfPz7gCaU5oTi1KdHe6Y=")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString("016842bad8059a8a1fc3cb1fa5c4dc65e40284cf29b9457403d7f9d5255845d7db")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open("test", sealed, "row", "1"); err != nil || string(got) != "kept" {
		t.Errorf("Open: %q, %v", got, err)
	}
	sum := k.MAC("test").Sum([]byte("a"), []byte("bc"))
	if got := hex.EncodeToString(sum[:]); got != "6e6b99303cfaa94dde3ae93a47a2cb6a6fbeaa839734bfe1e91f48d2d26b346a" {
		t.Errorf("MAC: %s", got)
	}
	if got := k.RefreshTokens().Format([16]byte{1}, 2); got != "ks_rt_AQAAAAAAAAAAAAAAAAAAAAAAAALr560-Lt3e7-HvjcnF99j9nR_juDWPQX0LAgGF3HN8FAott_RQ" {
		t.Errorf("refresh token: %s", got)
	}
	if got := k.ID(); got != "ad45bd9eb17a55e4" {
		t.Errorf("ID: %s", got)
	}
}

func BenchmarkSeal(b *testing.B) {
	k := NewMasterKey()
	plain := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = k.Seal("p", plain, "row")
	}
}

package password

import (
	"testing"

	xargon2 "golang.org/x/crypto/argon2"

	"github.com/keystone-auth/keystone"
)

// BenchmarkBare is the limit that people know: golang.org/x/crypto's argon2id
// with nothing around it.
func BenchmarkBare(b *testing.B) {
	p, salt := DefaultParams(), make([]byte, saltSize)
	for b.Loop() {
		xargon2.IDKey([]byte("correct horse battery staple"), salt, p.Time, p.Memory, uint8(p.Lanes), tagSize)
	}
}

// BenchmarkBareParallel keeps every processor busy.
func BenchmarkBareParallel(b *testing.B) {
	p, salt := DefaultParams(), make([]byte, saltSize)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			xargon2.IDKey([]byte("correct horse battery staple"), salt, p.Time, p.Memory, uint8(p.Lanes), tagSize)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h := newHasher(b, Options{})
	for b.Loop() {
		if _, err := h.Hash(b.Context(), "correct horse battery staple"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	h := newHasher(b, Options{})
	phc, err := h.Hash(b.Context(), "correct horse battery staple")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, _, err := h.Verify(b.Context(), phc, "correct horse battery staple"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkVerifyParallel keeps every slot busy.
func BenchmarkVerifyParallel(b *testing.B) {
	h := newHasher(b, Options{})
	phc, err := h.Hash(b.Context(), "correct horse battery staple")
	if err != nil {
		b.Fatal(err)
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if ok, _, err := h.Verify(b.Context(), phc, "correct horse battery staple"); !ok || err != nil {
				b.Error(ok, err)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	p, err := NewPolicy("modern", Overrides{AppName: "Keystone"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := p.Check("correct horse battery staple", keystone.User{Username: "jane", Email: "jane.doe@example.org"}); err != nil {
			b.Fatal(err)
		}
	}
}

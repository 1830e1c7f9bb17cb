package password

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
)

// imported are hashes made by other software, mostly from its own test vectors.
var imported = []struct{ name, password, phc string }{
	{"bcrypt 2a, crypt_blowfish", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
	{"bcrypt 2y", "U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
	{"bcrypt 2b, 72 bytes", strings.Repeat("a", 72), "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe"},
	{"bcrypt, empty, jBCrypt", "", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."},
	{"scrypt, RFC 7914", "pleaseletmein", "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"},
	{"PBKDF2 SHA-1", "password", "$pbkdf2$4096$c2FsdHNhbHQ$uvmnsELc3OLJFBij7GP4qigZ.OI"},
	{"PBKDF2 SHA-1, named", "password", "$pbkdf2-sha1$4096$c2FsdHNhbHQ$uvmnsELc3OLJFBij7GP4qigZ.OI"},
	{"PBKDF2 SHA-256, passlib", "password", "$pbkdf2-sha256$6400$MDEyMzQ1Njc4OWFiY2RlZg$GAgw.j2X2FQf6rCn19KJonkGfQQsVMJDdhR2EPZ/a9I"},
	{"PBKDF2 SHA-256, PHC", "password", "$pbkdf2-sha256$i=10000,l=32$c2FsdHNhbHQ$8AsC4H/147lFlEEMCnL1JMziEIWaSGvXLB7jM4MIJaM"},
	{"PBKDF2 SHA-256, PHC without length", "password", "$pbkdf2-sha256$i=10000$c2FsdHNhbHQ$8AsC4H/147lFlEEMCnL1JMziEIWaSGvXLB7jM4MIJaM"},
	{"PBKDF2 SHA-512", "password", "$pbkdf2-sha512$10000$c2FsdHNhbHT7/w$3bJx0d0UpqSxkptdm0NBjo3utP0CwV9ECKQ2dKqtNakD4Ma9sVKXrHoCrvp8A9FyG9zbLdjzLGH7cmz7KFPFzg"},
	{"Django SHA-256", "password", "pbkdf2_sha256$10000$seasalt$p2Nf8SH5q1HFJUvFvVd4Nj71pVA5fI7cpL2WDbb86bc="},
	{"Django SHA-1", "password", "pbkdf2_sha1$10000$seasalt$MzWphptDAvAELCV9Fa/bIsPfolY="},
	{"argon2i, reference", "password", "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"},
	{"argon2i, two lanes", "password", "$argon2i$v=19$m=1024,t=2,p=2$c29tZXNhbHQxMjM0$UadyedZLGca8voqD0BUYnQ"},
	{"argon2i, not normalised", "pa\u0308ssword", "$argon2i$v=19$m=1024,t=2,p=1$c29tZXNhbHQxMjM0$iiz2cIeCTHsgGIfvFIBpMQ"},
	{"argon2id, reference", "password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
	{"argon2id, four lanes", "password", "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQxMjM0$cLF9lBmx9J3WHAfh/YSqaPi45OAh3/f2Zaabi3ml1Yc"},
	{"SHA-256 crypt", "Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
	{"SHA-512 crypt", "Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
	{"SHA-512 crypt, rounds", "Hello world!", "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."},
}

func TestImported(t *testing.T) {
	h := newHasher(t, Options{})
	for _, test := range imported {
		t.Run(test.name, func(t *testing.T) {
			ok, rehash, err := h.Verify(t.Context(), test.phc, test.password)
			if want := !strings.HasPrefix(test.phc, "$argon2id$"); !ok || rehash != want || err != nil {
				t.Errorf("ok %v, rehash %v, %v; want rehash %v", ok, rehash, err, want)
			}
			for _, wrong := range []string{test.password + "x", "x" + test.password} {
				if ok, rehash, err := h.Verify(t.Context(), test.phc, wrong); ok || rehash || err != nil {
					t.Errorf("wrong password: ok %v, rehash %v, %v", ok, rehash, err)
				}
			}
		})
	}
}

// TestBcryptNeverCutsOff: bcrypt ignores what is behind 72 bytes, so a longer
// password must not match by its beginning.
func TestBcryptNeverCutsOff(t *testing.T) {
	h := newHasher(t, Options{Params: small})
	before := h.computed.Load()
	ok, _, err := h.Verify(t.Context(), "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe", strings.Repeat("a", 73))
	if ok || err != nil || h.computed.Load()-before != 1 {
		t.Errorf("73 bytes against 72: ok %v, %v, %d hashes", ok, err, h.computed.Load()-before)
	}
}

// TestDamaged: what cannot be read, or would cost too much, is an error and no
// work; the error does not quote it.
func TestDamaged(t *testing.T) {
	const salt, tag = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	argon := func(params string) string { return "$argon2id$v=19$" + params + "$" + salt + "$" + tag }
	bcryptRest := strings.Repeat("a", 53)
	h := newHasher(t, Options{Params: small})
	for _, test := range []struct {
		phc  string
		want error
	}{
		{"x", errFormat}, {"$", errFormat}, {"$$$$$", errFormat}, {"password", errFormat}, {"$1$salt$tag", errFormat},
		{"$2x$05$" + bcryptRest, errFormat}, {"$argon2d$v=19$m=64,t=1,p=1$" + salt + "$" + tag, errFormat},
		{"pbkdf2-sha256$1$" + salt + "$" + tag, errFormat}, {"$pbkdf2_sha256$1$salt$" + tag + "=", errFormat},
		{"argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + tag, errFormat},

		{"$argon2id$", errShape}, {"$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + tag, errShape},
		{"$argon2id$m=64,t=1,p=1$" + salt + "$" + tag, errShape},
		{argon("m=64,t=1"), errShape}, {argon("t=1,m=64,p=1"), errShape}, {argon("m=64,t=1,p=1,x=1"), errShape},
		{argon("m=064,t=1,p=1"), errShape}, {argon("m=+64,t=1,p=1"), errShape}, {argon("m=-64,t=1,p=1"), errShape},
		{argon("m=64,t=4294967296,p=1"), errShape}, {argon("m=64,t=1,p=1") + "=", errShape}, {argon("m=64,t=1,p=1") + "\n", errShape},
		{"$argon2id$v=19$m=64,t=1,p=1$c2FsdA$" + tag, errShape}, {"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + tag[:20], errShape},
		{"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("A", 200), errShape},
		{"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("A", 2000), errShape},
		{argon("m=8388608,t=1,p=1"), errCosts}, {argon("m=262145,t=1,p=1"), errCosts}, {argon("m=64,t=4294967295,p=1"), errCosts},
		{argon("m=262144,t=17,p=1"), errCosts}, {argon("m=4096,t=1,p=65"), errCosts}, {argon("m=4,t=1,p=1"), errCosts}, {argon("m=64,t=0,p=1"), errCosts},
		{argon("m=64,t=1,p=0"), errCosts}, {argon("m=64,t=1,p=4294967295"), errCosts},

		{"$2a$", errShape}, {"$2a$05$" + bcryptRest[1:], errShape}, {"$2a$05$" + bcryptRest + "a", errShape}, {"$2a$xx$" + bcryptRest, errShape},
		{"$2a$03$" + bcryptRest, errShape}, {"$2a$32$" + bcryptRest, errShape}, {"$2a$17$" + bcryptRest, errCosts}, {"$2a$31$" + bcryptRest, errCosts},

		{"$scrypt$", errShape}, {"$scrypt$ln=14,r=8$" + salt + "$" + tag, errShape}, {"$scrypt$ln=0,r=8,p=1$" + salt + "$" + tag, errShape},
		{"$scrypt$ln=14,r=0,p=1$" + salt + "$" + tag, errShape}, {"$scrypt$ln=14,r=8,p=0$" + salt + "$" + tag, errShape},
		{"$scrypt$ln=21,r=1,p=1$" + salt + "$" + tag, errCosts}, {"$scrypt$ln=19,r=8,p=1$" + salt + "$" + tag, errCosts},
		{"$scrypt$ln=4294967295,r=8,p=1$" + salt + "$" + tag, errCosts}, {"$scrypt$ln=14,r=8,p=64$" + salt + "$" + tag, errCosts},
		{"$scrypt$ln=1,r=65536,p=65536$" + salt + "$" + tag, errCosts},

		{"$pbkdf2-sha256$", errShape}, {"$pbkdf2-sha256$0$" + salt + "$" + tag, errShape}, {"$pbkdf2-sha256$1$$" + tag, errShape},
		{"$pbkdf2-sha256$i=1,l=31$" + salt + "$" + tag, errShape}, {"$pbkdf2-sha256$x=1$" + salt + "$" + tag, errShape},
		{"$pbkdf2-sha256$2147483648$" + salt + "$" + tag, errCosts}, {"$pbkdf2-sha512$5000001$" + salt + "$" + tag, errCosts},
		{"pbkdf2_sha256$1$salt$" + tag, errShape}, {"pbkdf2_sha256$4294967295$salt$" + tag + "=", errCosts}, {"pbkdf2_sha256$x$salt$" + tag + "=", errShape},

		{"$5$salt$tag", errShape}, {"$6$saltstring$" + strings.Repeat("a", 43), errShape}, {"$5$rounds=999$salt$" + strings.Repeat("a", 43), errShape},
		{"$5$rounds=999999999$salt$" + strings.Repeat("a", 43), errCosts}, {"$5$17charactersalt..$" + strings.Repeat("a", 43), errShape},
	} {
		ok, rehash, err := h.Verify(t.Context(), test.phc, "password")
		if ok || rehash || !errors.Is(err, test.want) {
			t.Errorf("%s: ok %v, rehash %v, %v; want %v", test.phc, ok, rehash, err, test.want)
		}
		if err != nil && (keystone.KindOf(err) != keystone.Unknown || strings.Contains(err.Error(), tag[:8])) {
			t.Errorf("%s: says %v", test.phc, err)
		}
	}
	if n := h.computed.Load(); n != 0 {
		t.Errorf("%d hashes were computed", n)
	}
}

// FuzzParse: no stored hash makes the parser panic, and what it accepts stays
// inside the bounds; what we write is read back as it was.
func FuzzParse(f *testing.F) {
	for _, test := range imported {
		f.Add(test.phc)
	}
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=4294967295$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$scrypt$ln=4294967295,r=4294967295,p=4294967295$$")
	f.Add("$6$rounds=1000$$")
	f.Fuzz(func(t *testing.T, phc string) {
		s, err := parse(phc)
		if err != nil {
			if s.matches != nil {
				t.Error("an error, and a hash to verify")
			}
			return
		}
		if s.matches == nil || s.memory > maxMemory || s.argon2id && (s.params.check() != nil || s.memory != s.params.Memory) {
			t.Errorf("accepted: %+v", s)
		}
		if s.argon2id {
			var m, time, lanes uint32
			if n, _ := fmt.Sscanf(phc, "$argon2id$v=19$m=%d,t=%d,p=%d$", &m, &time, &lanes); n != 3 || s.params != (Params{m, time, lanes}) {
				t.Errorf("%s was read as %+v", phc, s.params)
			}
		}
	})
}

package password

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/keystone-auth/keystone"
)

// small are parameters for tests that are not about the costs.
var small = Params{Memory: 64, Time: 2, Lanes: 1}

func newHasher(t testing.TB, o Options) *Hasher {
	t.Helper()
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustHash(t testing.TB, h *Hasher, password string) string {
	t.Helper()
	phc, err := h.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return phc
}

func TestHashFormat(t *testing.T) {
	h := newHasher(t, Options{})
	phc := mustHash(t, h, "correct horse battery staple")
	if !regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`).MatchString(phc) {
		t.Errorf("not the promised format: %s", phc)
	}
	if again := mustHash(t, h, "correct horse battery staple"); again == phc {
		t.Error("two hashes have the same salt")
	}
}

func TestVerify(t *testing.T) {
	h := newHasher(t, Options{Params: small})
	long := strings.Repeat("x", MaxBytes)
	for _, test := range []struct {
		name, chosen, given string
		ok                  bool
	}{
		{"the same", "correct horse", "correct horse", true},
		{"another", "correct horse", "correct horsf", false},
		{"case counts", "correct horse", "Correct horse", false},
		{"spaces count", "correct horse", "correct horse ", false},
		{"empty", "", "", true},
		{"1024 bytes", long, long, true},
		{"nothing is cut off", long, long[:MaxBytes-1] + "y", false},
		{"composed and decomposed", "p\u00e4ssword", "pa\u0308ssword", true},
		{"any space is the space", "correct\u00a0horse\u3000battery", "correct horse battery", true},
		{"compatibility forms differ", "ﬁsh and chips", "fish and chips", false},
		{"a code point nobody knows yet", "horse \U0001fbff\U000e0fff", "horse \U0001fbff\U000e0fff", true},
	} {
		ok, rehash, err := h.Verify(t.Context(), mustHash(t, h, test.chosen), test.given)
		if ok != test.ok || rehash || err != nil {
			t.Errorf("%s: ok %v, rehash %v, %v; want ok %v", test.name, ok, rehash, err, test.ok)
		}
	}
}

// TestQ1LongPassword: what cannot be a password is refused before any work.
func TestQ1LongPassword(t *testing.T) {
	h := newHasher(t, Options{Params: small})
	phc := mustHash(t, h, "x")
	before := h.computed.Load()
	for name, password := range map[string]string{
		"1025 bytes": strings.Repeat("x", MaxBytes+1), "10 MiB": strings.Repeat("x", 10<<20),
		"NUL": "correct\x00horse", "not UTF-8": "correct\xffhorse", "surrogate": "\xed\xa0\x80 horse",
	} {
		_, hashErr := h.Hash(t.Context(), password)
		_, _, verifyErr := h.Verify(t.Context(), phc, password)
		_, _, nobodyErr := h.Verify(t.Context(), "", password)
		for _, err := range []error{hashErr, verifyErr, nobodyErr} {
			var e *keystone.Error
			if !errors.As(err, &e) || e.Kind != keystone.Invalid || e.Fields["password"] == "" {
				t.Errorf("%s: %v, want Invalid about the field password", name, err)
			}
		}
	}
	if n := h.computed.Load() - before; n != 0 {
		t.Errorf("%d hashes were computed", n)
	}
}

// TestJ2SameWork: an unknown user, a wrong password and the right one cost one
// hash each, with the present parameters.
func TestJ2SameWork(t *testing.T) {
	h := newHasher(t, Options{Params: small})
	phc := mustHash(t, h, "correct horse")
	for name, test := range map[string]struct{ phc, password string }{
		"unknown": {"", "correct horse"}, "unknown, decomposed": {"", "pa\u0308ssword"},
		"wrong": {phc, "wrong"}, "wrong, decomposed": {phc, "pa\u0308ssword"}, "right": {phc, "correct horse"},
	} {
		before := h.computed.Load()
		ok, rehash, err := h.Verify(t.Context(), test.phc, test.password)
		if ok != (name == "right") || rehash || err != nil {
			t.Errorf("%s: ok %v, rehash %v, %v", name, ok, rehash, err)
		}
		if n := h.computed.Load() - before; n != 1 {
			t.Errorf("%s: %d hashes, want 1", name, n)
		}
	}
	if h.nobody.params != h.params || h.nobody.memory != h.params.Memory {
		t.Error("nobody's hash has other parameters than new ones")
	}
}

func TestRehash(t *testing.T) {
	phc := mustHash(t, newHasher(t, Options{Params: small}), "correct horse")
	for _, test := range []struct {
		now  Params
		want bool
	}{
		{small, false},
		{Params{Memory: 65, Time: 2, Lanes: 1}, true},
		{Params{Memory: 64, Time: 3, Lanes: 1}, true},
		{Params{Memory: 32, Time: 1, Lanes: 1}, false},
		{Params{Memory: 64, Time: 2, Lanes: 2}, false},
	} {
		h := newHasher(t, Options{Params: test.now})
		if ok, rehash, err := h.Verify(t.Context(), phc, "correct horse"); !ok || rehash != test.want || err != nil {
			t.Errorf("now %+v: ok %v, rehash %v, %v; want rehash %v", test.now, ok, rehash, err, test.want)
		}
		if ok, rehash, _ := h.Verify(t.Context(), phc, "wrong"); ok || rehash {
			t.Errorf("now %+v: a wrong password is to be rehashed", test.now)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"slots": {Slots: -1}, "queue": {Queue: -1}, "wait": {MaxWait: -1},
		"no passes": {Params: Params{Memory: 64, Lanes: 1}}, "no memory": {Params: Params{Time: 1, Lanes: 1}},
		"7 KiB": {Params: Params{Memory: 7, Time: 1, Lanes: 1}}, "65 lanes": {Params: Params{Memory: 1024, Time: 1, Lanes: 65}},
		"8 GiB": {Params: Params{Memory: 8 << 20, Time: 1, Lanes: 1}}, "for ever": {Params: Params{Memory: 64, Time: 1 << 31, Lanes: 1}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestVerifyTogether(t *testing.T) {
	h := newHasher(t, Options{Slots: 3, Queue: 100, Params: Params{Memory: 256, Time: 1, Lanes: 1}})
	var wg sync.WaitGroup
	for n := range 24 {
		wg.Go(func() {
			mine := strings.Repeat("x", n+1)
			phc, err := h.Hash(context.Background(), mine)
			if err != nil {
				t.Error(err)
			}
			if ok, _, err := h.Verify(context.Background(), phc, mine); !ok || err != nil {
				t.Errorf("%d: ok %v, %v", n, ok, err)
			}
			if ok, _, err := h.Verify(context.Background(), phc, mine+"x"); ok || err != nil {
				t.Errorf("%d: a wrong one is ok: %v, %v", n, ok, err)
			}
		})
	}
	wg.Wait()
}

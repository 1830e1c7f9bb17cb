package httpio

import (
	"net/http/httptest"
	"testing"

	"github.com/keystone-auth/keystone"
)

// TestChallenges: what a 401 says, with and without resource metadata (RFC 9728
// section 5.1), at no cost for the values that every answer shares.
func TestChallenges(t *testing.T) {
	const at = "https://id.example/.well-known/oauth-protected-resource"
	named, unnamed := NewChallenges(at), (*Challenges)(nil)
	for _, test := range []struct{ got, want string }{
		{named.Bearer()[0], `Bearer realm="keystone", resource_metadata="` + at + `"`},
		{named.BadToken()[0], `Bearer realm="keystone", error="invalid_token", resource_metadata="` + at + `"`},
		{named.LacksScope("a:b")[0], `Bearer realm="keystone", error="insufficient_scope", scope="a:b", resource_metadata="` + at + `"`},
		{named.DPoP("ES256", "invalid_token")[0], `DPoP realm="keystone", algs="ES256", error="invalid_token", resource_metadata="` + at + `"`},
		{unnamed.DPoP("ES256", "invalid_token")[0], `DPoP realm="keystone", algs="ES256", error="invalid_token"`},
		{unnamed.Bearer()[0], `Bearer realm="keystone"`},
		{unnamed.BadToken()[0], `Bearer realm="keystone", error="invalid_token"`},
		{unnamed.LacksScope("a:b")[0], `Bearer realm="keystone", error="insufficient_scope", scope="a:b"`},
	} {
		if test.got != test.want {
			t.Errorf("%s, want %s", test.got, test.want)
		}
	}

	x := &Exchange{TokenSent: true, Challenges: named}
	if n := testing.AllocsPerRun(100, func() { Challenge(map[string][]string{}, x.challenge("authentication_failed")) }); n > 1 { // the map's one bucket
		t.Errorf("a challenge costs %v allocations", n)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(WithExchange(r.Context(), x))
	w := httptest.NewRecorder()
	WriteError(w, r, keystone.Fail(keystone.Unauthenticated, "x").WithCode("invalid_client"))
	if got := w.Header().Get("WWW-Authenticate"); got != challengeBasic[0] {
		t.Errorf("a client that failed to prove itself: %s", got)
	}
}

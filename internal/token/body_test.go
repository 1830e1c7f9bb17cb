package token

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

// TestAnswer: what is appended by hand is what encoding/json makes of the documented
// type, to the letter, whatever is left out.
func TestAnswer(t *testing.T) {
	for n := range 1 << 6 {
		on := func(bit int, value string) string {
			if n>>bit&1 == 0 {
				return ""
			}
			return value
		}
		r := Response{AccessToken: "ks_at_a-_0", RefreshToken: on(0, "ks_rt_b"), IDToken: on(1, "e30.e30.c2ln"), ExpiresIn: 90*time.Second + time.Millisecond,
			JTI: keystone.NewID(time.Now()), IssuedType: on(2, "urn:ietf:params:oauth:token-type:access_token"), Bound: keystone.Confirmation{JKT: on(3, "thumb")}}
		if on(4, "x") != "" {
			r.Scopes = []string{"openid", "orders:read", "https://api.example/all"}
		}
		if on(5, "x") != "" {
			r.Details = keystone.Details{json.RawMessage(`{"type":"payment","amount":"1.5"}`), json.RawMessage(`{"type":"x"}`)}
		}
		want, err := json.Marshal(r.Body())
		if err != nil {
			t.Fatal(err)
		}
		if got := r.AppendJSON([]byte("before ")); string(got) != "before "+string(want) {
			t.Errorf("%06b:\n got %s\nwant %s", n, got, want)
		}
	}
}

package oauth

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/jose"
)

// FuzzRequestObject: whatever a request object holds, nothing that comes out of it
// is nested, empty by mistake or repeated (RFC 9101 section 4).
func FuzzRequestObject(f *testing.F) {
	for _, payload := range []string{
		`{"client_id":"c","iss":"c","aud":"https://id.example","exp":2,"scope":"openid","max_age":3,"claims":{"id_token":{}}}`,
		`{"resource":["a","b"]}`, `{"request":"x"}`, `{"request_uri":"x"}`, `{"sub":"c"}`, `{"scope":["a"]}`, `{"state":null}`, `{"":""}`, `{"exp":1e400}`, `[]`, `null`,
	} {
		f.Add([]byte(payload))
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"oauth-authz-req+jwt"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		raw := header + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64))
		object, err := jose.Parse(raw, keystone.AssertionAlgs(), objectTypes...)
		if err != nil {
			return
		}
		params, err := objectParams(object.Claims)
		if err != nil {
			return
		}
		for name, values := range params {
			if name == "request" || name == "request_uri" || name == "sub" || name == "exp" || len(values) > 1 && name != "resource" {
				t.Errorf("%s: %q", name, values)
			}
			if name != "resource" && len(values) != 1 {
				t.Errorf("%s: %q", name, values)
			}
		}
		if !json.Valid(payload) {
			t.Error("not JSON")
		}
	})
}

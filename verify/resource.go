package verify

import (
	"encoding/json"
	"net/http"
)

// ResourceMetadata answers with the protected resource metadata of the API (RFC
// 9728 section 2): its name, who issues its tokens, and scopes that it knows. Serve
// it where [Config.ResourceMetadata] says; a client that knows only the API's
// address finds the issuer by it. The audience must be the API's address then.
func (v *Verifier) ResourceMetadata(scopes ...string) http.Handler {
	body, err := json.Marshal(struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported,omitempty"`
		Methods  []string `json:"bearer_methods_supported"`
	}{v.audience, []string{v.issuer}, scopes, []string{"header"}})
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err != nil { // cannot be: these are texts
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("Access-Control-Allow-Origin", "*") // public, and scripts of clients look for it
		_, _ = w.Write(body)
	})
}

package keystone_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// encryptionKeys is a key set of a client: one key for encryption, after one for
// signatures.
func encryptionKeys(t *testing.T, sig, enc clientKey, use string) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: sig.private.Public(), KeyID: "sig", Use: "sig"}, {Key: enc.private.Public(), KeyID: "enc", Use: use},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestEncrypted: ID tokens and userinfo, signed and then encrypted to the client's
// own key (OpenID Connect Core section 10.2).
func TestEncrypted(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		rsa, ec, sig := newClientKey(t, "RS256", "enc"), newClientKey(t, "ES256", "enc"), newClientKey(t, "ES256", "sig")
		for alg, key := range map[string]clientKey{"RSA-OAEP-256": rsa, "ECDH-ES": ec, "ECDH-ES+A256KW": ec} {
			for _, use := range []string{"enc", ""} {
				signing := sig
				if alg != "RSA-OAEP-256" && use == "" {
					signing = rsa
				}
				app := signerClient(s, encryptionKeys(t, signing, key, use), func(c *keystone.ClientSettings) { c.IDTokenEncAlg, c.UserinfoEncAlg, c.IDTokenAlg = alg, alg, "ES256" })
				opened := func(raw string) string {
					t.Helper()
					jwe, err := jose.ParseEncryptedCompact(raw, []jose.KeyAlgorithm{jose.KeyAlgorithm(alg)}, []jose.ContentEncryption{jose.A256GCM})
					if err != nil {
						t.Fatalf("%s: %v", raw, err)
					}
					text, err := jwe.Decrypt(key.private)
					if err != nil || jwe.Header.KeyID != "enc" || jwe.Header.ExtraHeaders["cty"] != "JWT" {
						t.Fatalf("%s: %v %v", alg, err, jwe.Header)
					}
					return string(text)
				}
				b := signedIn(t, s, jane, app)
				status, tokens := redeem(t, s, app, b.code(app))
				if status != http.StatusOK {
					t.Fatalf("%d %v", status, tokens)
				}
				if id := verifiedJWT(t, s, opened(tokens["id_token"].(string)), "ES256", "JWT"); id["sub"] != jane.ID || id["aud"] != app.ID || id["nonce"] != "n-1" {
					t.Errorf("%s: %v", alg, id)
				}
				req, _ := http.NewRequest(http.MethodGet, s.URL+"/oauth2/userinfo", nil)
				req.Header.Set("Authorization", "Bearer "+tokens["access_token"].(string))
				contentType, info := fetchAs(t, s, req)
				if claims := verifiedJWT(t, s, opened(info), "RS256", "JWT"); contentType != "application/jwt" || claims["sub"] != jane.ID || claims["aud"] != app.ID {
					t.Errorf("%s: %s %v", alg, contentType, claims)
				}
			}
		}
		none := signerClient(s, jwks(t, ec), func(c *keystone.ClientSettings) { c.IDTokenEncAlg = "ECDH-ES" }) // its one key is for signatures
		b := signedIn(t, s, jane, none)
		if status, answer := redeem(t, s, none, b.code(none)); status != http.StatusBadRequest || answer["error"] != "invalid_client_metadata" || answer["access_token"] != nil {
			t.Errorf("without a key: %d %v", status, answer)
		}
		for name, body := range map[string]map[string]any{
			"RSA1_5":   {"id_token_encrypted_response_alg": "RSA1_5", "jwks": jwks(t, rsa)},
			"PBES2":    {"id_token_encrypted_response_alg": "PBES2-HS256+A128KW", "jwks": jwks(t, rsa)},
			"dir":      {"userinfo_encrypted_response_alg": "dir", "jwks": jwks(t, rsa)},
			"CBC":      {"id_token_encrypted_response_alg": "ECDH-ES", "id_token_encrypted_response_enc": "A128CBC-HS256", "jwks": jwks(t, ec)},
			"enc only": {"id_token_encrypted_response_enc": "A256GCM", "jwks": jwks(t, ec)},
			"no keys":  {"userinfo_encrypted_response_alg": "ECDH-ES"},
		} {
			body["name"], body["kind"] = "x", "web"
			if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), body, nil); status != http.StatusBadRequest {
				t.Errorf("%s: %d", name, status)
			}
		}
	})
}

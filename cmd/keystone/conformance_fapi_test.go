package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keystone-auth/keystone"
)

// suiteKey is the key that a plan's configuration gives the suite.
type suiteKey struct {
	t   *testing.T
	key jose.JSONWebKey
}

// sign makes a JWT; without a type it is a DPoP proof, which names its key.
func (k suiteKey) sign(typ string, claims map[string]any) string {
	k.t.Helper()
	o := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	key := jose.SigningKey{Algorithm: jose.ES256, Key: k.key}
	if typ == "dpop+jwt" {
		key.Key, o.EmbedJWK = k.key.Key, true
	}
	signer, err := jose.NewSigner(key, o)
	if err != nil {
		k.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		k.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		k.t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		k.t.Fatal(err)
	}
	return raw
}

// TestConformanceFAPI: the clients of the FAPI plans are there with the keys of
// their configurations, and a flow of each runs: pushed and signed requests, the
// browser's steps, DPoP, userinfo.
func TestConformanceFAPI(t *testing.T) {
	s := startConformance(t)
	facts := s.facts()
	for _, file := range []string{"fapi2.json", "fapi2-message-signing.json"} {
		raw, err := os.ReadFile(filepath.Join(s.dir, file))
		if err != nil {
			t.Fatal(err)
		}
		var plan struct {
			suitePlan
			Client struct {
				ID    string `json:"client_id"`
				Scope string
				JWKS  jose.JSONWebKeySet
			}
			Resource struct{ ResourceURL string }
		}
		if err := json.Unmarshal(raw, &plan); err != nil {
			t.Fatal(err)
		}
		s.client = s.browser()
		k := suiteKey{t, plan.Client.JWKS.Keys[0]}
		ask := func(address, token string, form url.Values) map[string]any {
			t.Helper()
			now := time.Now()
			method := http.MethodPost
			proof := map[string]any{"jti": keystone.NewID(now), "htu": address, "iat": now.Unix()}
			var body string
			if token != "" {
				method = http.MethodGet
				sum := sha256.Sum256([]byte(token))
				proof["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
			} else {
				form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
				form.Set("client_assertion", k.sign("JWT", map[string]any{"iss": plan.Client.ID, "sub": plan.Client.ID, "aud": s.url, "jti": keystone.NewID(now), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}))
				body = form.Encode()
			}
			proof["htm"] = method
			req, err := http.NewRequest(method, address, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("DPoP", k.sign("dpop+jwt", proof))
			if token != "" {
				req.Header.Set("Authorization", "DPoP "+token)
			} else {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			text, _ := s.read(s.client.Do(req))
			return parse(t, text)
		}

		back := suiteAt + "/test/a/keystone/callback"
		verifier := strings.Repeat("v", 50)
		sum := sha256.Sum256([]byte(verifier))
		want := map[string]any{"client_id": plan.Client.ID, "redirect_uri": back, "response_type": "code", "scope": plan.Client.Scope, "state": "st", "nonce": "no",
			"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method": "S256"}
		form := url.Values{}
		if file == "fapi2.json" {
			for name, value := range want {
				form.Set(name, text(value))
			}
		} else {
			now := time.Now()
			object := maps.Clone(want)
			maps.Copy(object, map[string]any{"iss": plan.Client.ID, "aud": s.url, "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "response_mode": "jwt"})
			form = url.Values{"client_id": {plan.Client.ID}, "request": {k.sign("oauth-authz-req+jwt", object)}}
		}
		pushed := ask(text(facts["pushed_authorization_request_endpoint"]), "", form)
		uri := text(pushed["request_uri"])
		if uri == "" {
			t.Fatalf("%s: not pushed: %v", file, pushed)
		}
		body, at := s.read(s.client.Get(text(facts["authorization_endpoint"]) + "?" + url.Values{"client_id": {plan.Client.ID}, "request_uri": {uri}}.Encode()))
		for _, task := range plan.Browser[0].Tasks[:2] { // sign in, consent
			body, at = s.act(body, at, task.Commands)
		}
		q := at.Query()
		if file != "fapi2.json" {
			answer, err := jose.ParseSignedCompact(q.Get("response"), []jose.SignatureAlgorithm{jose.ES256, jose.PS256})
			if err != nil {
				t.Fatalf("%s: at %s: %v", file, at, err)
			}
			q = url.Values{"code": {text(parse(t, string(answer.UnsafePayloadWithoutVerification()))["code"])}}
		}
		tokens := ask(text(facts["token_endpoint"]), "", url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {back}, "code_verifier": {verifier}})
		if tokens["token_type"] != "DPoP" || tokens["id_token"] == nil {
			t.Fatalf("%s: %v", file, tokens)
		}
		if claims := ask(plan.Resource.ResourceURL, text(tokens["access_token"]), nil); claims["email"] == nil {
			t.Errorf("%s: the resource answers %v", file, claims)
		}
	}
}

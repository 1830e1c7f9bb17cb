package main

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
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

// TestConformanceFAPI: the clients of the FAPI plans are there, in each variant, with
// the keys and certificates of their configurations, and a flow of each runs as the
// suite goes it: pushed and signed requests, the browser's steps, a person who answers,
// tokens that are bound, userinfo.
func TestConformanceFAPI(t *testing.T) {
	s := startConformance(t)
	facts := s.facts()
	files, err := filepath.Glob(filepath.Join(s.dir, "fapi*.json"))
	if err != nil || len(files) != 12 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			s.client = s.browser()
			c := s.suiteClient(file)
			c.back, c.bound = strings.HasPrefix(name, "fapi-ciba"), strings.HasSuffix(name, "-mtls") || strings.HasPrefix(name, "fapi-ciba")
			c.assertion = strings.Contains(name, "private_key_jwt")
			tokens := c.signsIn(facts, strings.Contains(name, "message-signing"))
			if want := map[bool]string{false: "DPoP", true: "Bearer"}[c.bound]; tokens["token_type"] != want || tokens["id_token"] == nil {
				t.Fatalf("%v", tokens)
			}
			if claims := c.ask(c.Resource.ResourceURL, text(tokens["access_token"]), nil); claims["email"] == nil {
				t.Errorf("the resource answers %v", claims)
			}
		})
	}
}

// suiteClient is the suite in the place of a client, as a configuration makes it one.
type suiteClient struct {
	*conformanceServer
	Client struct {
		ID    string `json:"client_id"`
		Scope string
		Hint  string `json:"hint_value"`
		JWKS  jose.JSONWebKeySet
	}
	MTLS     struct{ Cert, Key string }
	Resource struct{ ResourceURL string }
	Override map[string]suitePlan

	plan      suitePlan
	key       suiteKey
	shown     *http.Client // shows the certificate
	assertion bool         // it proves itself by assertions, else by the certificate
	bound     bool         // its tokens are bound to the certificate, else to the key
	back      bool         // somebody answers elsewhere (CIBA)
}

func (s *conformanceServer) suiteClient(file string) *suiteClient {
	s.t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &suiteClient{conformanceServer: s}
	if err := errors.Join(json.Unmarshal(raw, c), json.Unmarshal(raw, &c.plan)); err != nil {
		s.t.Fatal(err)
	}
	pair, err := tls.X509KeyPair([]byte(c.MTLS.Cert), []byte(c.MTLS.Key))
	if err != nil {
		s.t.Fatal(err)
	}
	c.key, c.shown = suiteKey{s.t, c.Client.JWKS.Keys[0]}, s.browser()
	c.shown.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{pair}
	return c
}

// ask posts a form as the client, or uses a token at an address.
func (c *suiteClient) ask(address, token string, form url.Values) map[string]any {
	c.t.Helper()
	now, method := time.Now(), http.MethodGet
	proof := map[string]any{"jti": keystone.NewID(now), "htu": address, "iat": now.Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		proof["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	} else if method = http.MethodPost; c.assertion {
		aud := c.url
		if c.back { // FAPI-CIBA is older than RFC 10070: the suite names the endpoint
			aud = address
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", c.key.sign("JWT", map[string]any{"iss": c.Client.ID, "sub": c.Client.ID, "aud": aud, "jti": keystone.NewID(now), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}))
	} else {
		form.Set("client_id", c.Client.ID)
	}
	proof["htm"] = method
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", map[bool]string{false: "DPoP", true: "Bearer"}[c.bound]+" "+token)
	} else {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if !c.bound {
		req.Header.Set("DPoP", c.key.sign("dpop+jwt", proof))
	}
	client := c.client
	if c.bound || !c.assertion && token == "" {
		client = c.shown
	}
	text, _ := c.read(client.Do(req))
	return parse(c.t, text)
}

// signsIn is the way to tokens.
func (c *suiteClient) signsIn(facts map[string]any, signing bool) map[string]any {
	c.t.Helper()
	if c.back {
		return c.answered(facts)
	}
	back, verifier := suiteAt+"/test/a/keystone/callback?dummy1=lorem&dummy2=ipsum", strings.Repeat("v", 50)
	sum := sha256.Sum256([]byte(verifier))
	want := map[string]any{"client_id": c.Client.ID, "redirect_uri": back, "response_type": "code", "scope": c.Client.Scope, "state": "st", "nonce": "no",
		"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method": "S256"}
	form := url.Values{}
	if !signing {
		for name, value := range want {
			form.Set(name, text(value))
		}
	} else {
		want["response_mode"] = "jwt"
		form = url.Values{"client_id": {c.Client.ID}, "request": {c.object("oauth-authz-req+jwt", want)}}
	}
	// The module in which somebody refuses, then all others.
	for _, plan := range []suitePlan{c.Override["fapi2-security-profile-final-user-rejects-authentication"], c.plan} {
		pushed := c.ask(text(facts["pushed_authorization_request_endpoint"]), "", maps.Clone(form))
		uri := text(pushed["request_uri"])
		if uri == "" {
			c.t.Fatalf("not pushed: %v", pushed)
		}
		c.client = c.browser()
		body, at := c.read(c.client.Get(text(facts["authorization_endpoint"]) + "?" + url.Values{"client_id": {c.Client.ID}, "request_uri": {uri}}.Encode()))
		for _, task := range plan.Browser[0].Tasks[:2] { // sign in, consent
			body, at = c.act(body, at, task.Commands)
		}
		q := at.Query()
		if signing {
			answer, err := jose.ParseSignedCompact(q.Get("response"), []jose.SignatureAlgorithm{jose.ES256, jose.PS256})
			if err != nil {
				c.t.Fatalf("at %s: %v", at, err)
			}
			claims := parse(c.t, string(answer.UnsafePayloadWithoutVerification()))
			q.Set("code", text(claims["code"]))
			q.Set("error", text(claims["error"]))
		}
		if q.Get("dummy1") != "lorem" || q.Get("dummy2") != "ipsum" {
			c.t.Errorf("back at %s", at)
		}
		if code := q.Get("code"); code != "" {
			return c.ask(text(facts["token_endpoint"]), "", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {back}, "code_verifier": {verifier}})
		} else if q.Get("error") != "access_denied" {
			c.t.Fatalf("at %s", at)
		}
	}
	c.t.Fatal("no code")
	return nil
}

// object is a signed request of the client.
func (c *suiteClient) object(typ string, claims map[string]any) string {
	now := time.Now()
	maps.Copy(claims, map[string]any{"iss": c.Client.ID, "aud": c.url, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": keystone.NewID(now)})
	return c.key.sign(typ, claims)
}

// answered is the way of CIBA, where the person answers on a page.
func (c *suiteClient) answered(facts map[string]any) map[string]any {
	c.t.Helper()
	begun := c.ask(text(facts["backchannel_authentication_endpoint"]), "", url.Values{"request": {c.object("JWT", map[string]any{"scope": c.Client.Scope, "login_hint": c.Client.Hint, "client_notification_token": strings.Repeat("n", 40)})}})
	id := text(begun["auth_req_id"])
	if id == "" {
		c.t.Fatalf("%v", begun)
	}
	steps := c.basic().Browser[0].Tasks
	body, at := c.read(c.client.Get(c.url + "/requests"))
	body, at = c.act(body, at, steps[0].Commands)
	body, at = c.act(body, at, nil)
	if body, _ = c.act(body, at, steps[1].Commands); !strings.Contains(body, "<h1>Done") {
		c.t.Fatal(body)
	}
	return c.ask(text(facts["token_endpoint"]), "", url.Values{"grant_type": {keystone.GrantCIBA}, "auth_req_id": {id}})
}

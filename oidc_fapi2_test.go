package keystone_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

type fapiModule struct {
	name string
	run  func(fapiPlan, *browser)
}

func (p fapiPlan) runAll(modules []fapiModule) {
	for _, module := range modules {
		p.Run(module.name, func(t *testing.T) {
			for _, v := range fapiVariants {
				if v.has(module.name) {
					t.Run(v.String(), func(t *testing.T) { module.run(p.in(t, v), newBrowser(t, p.s)) })
				}
			}
		})
	}
}

// TestFAPI2Plan goes through the modules of fapi2-security-profile-final-test-plan
// (plain FAPI) by the names of their classes, over https, in each variant: clients
// with assertions and with certificates, tokens bound to DPoP keys and to certificates.
func TestFAPI2Plan(t *testing.T) { newFAPIPlan(t, keystone.ProfileFAPI2).runAll(fapiModules) }

// TestFAPI2MessageSigningPlan is the same with signed requests, and the modules
// that fapi2-message-signing-final-test-plan has besides.
func TestFAPI2MessageSigningPlan(t *testing.T) {
	p := newFAPIPlan(t, keystone.ProfileFAPI2Signing)
	p.runAll(slices.Concat(fapiModules, signingModules))
	p.jarm = true
	t.Run("jarm", func(t *testing.T) {
		p.T = t
		p.runAll([]fapiModule{{"HappyFlow", fapiModules[1].run}, {"UserRejectsAuthentication", fapiModules[2].run}})
	})
}

var fapiModules = []fapiModule{
	{"DiscoveryEndpointVerification", func(p fapiPlan, _ *browser) {
		var facts map[string]any
		p.s.Call(http.MethodGet, "/.well-known/oauth-authorization-server", "", nil, &facts)
		for name, want := range map[string]string{"token_endpoint_auth_methods_supported": p.auth, "code_challenge_methods_supported": "S256", "response_types_supported": "code",
			"dpop_signing_alg_values_supported": "PS256", "token_endpoint_auth_signing_alg_values_supported": "PS256", "id_token_signing_alg_values_supported": "PS256",
			"request_object_signing_alg_values_supported": "PS256", "authorization_signing_alg_values_supported": "PS256", "response_modes_supported": "jwt", "grant_types_supported": "authorization_code"} {
			if list, _ := facts[name].([]any); !slices.Contains(list, any(want)) {
				p.Errorf("%s lacks %s: %v", name, want, list)
			}
		}
		if facts["issuer"] != p.s.Issuer || facts["authorization_response_iss_parameter_supported"] != true || facts["tls_client_certificate_bound_access_tokens"] != true {
			p.Errorf("%v", facts)
		}
		for _, name := range []string{"pushed_authorization_request_endpoint", "authorization_endpoint", "token_endpoint", "jwks_uri"} {
			if address, _ := facts[name].(string); !strings.HasPrefix(address, "https://") {
				p.Errorf("%s is %q", name, address)
			}
		}
	}},
	{"HappyFlow", func(p fapiPlan, b *browser) {
		tokens, id := p.flow(b)
		raw := tokens["access_token"].(string)
		if id["nonce"] != "n-1" || id["at_hash"] == nil {
			p.Errorf("%v", id)
		}
		var info map[string]any
		if status := p.s.Call(http.MethodGet, "/oauth2/userinfo?access_token="+url.QueryEscape(raw), "", nil, &info); status < 400 {
			p.Errorf("a token in the address: %d", status)
		}
		for name, got := range map[string]answered{
			"under Bearer, with no key": p.holder(nil).call(p.s, http.MethodGet, "/oauth2/userinfo", "Bearer", raw), "with another key": p.uses(raw, p.holder(p.twoCert)),
		} {
			if got.status != http.StatusUnauthorized {
				p.Errorf("%s: %d %v", name, got.status, got.body)
			}
		}
	}},
	{"UserRejectsAuthentication", func(p fapiPlan, b *browser) {
		b.open(p.s.URL + "/oauth2/authorize?" + url.Values{"client_id": {p.app.ID}, "request_uri": {p.pushed("prompt", "consent")}}.Encode())
		if strings.Contains(b.page.body, `id="password"`) {
			b.signIn(p.user)
		}
		b.submit(map[string]string{"decision": "deny"})
		if p.jarm {
			if got := b.jarm("jwt", "PS256", p.app); got["error"] != "access_denied" || got["state"] != "st" {
				p.Errorf("%v", got)
			}
		} else if got := b.answer(); got.Get("error") != "access_denied" || got.Get("state") != "st" || got.Has("code") {
			p.Errorf("%v", got)
		}
	}},
	{"EnsureAuthorizationRequestWithoutStateSuccess", func(p fapiPlan, b *browser) {
		if got := p.front(b, p.pushed("state", "")); got.Has("state") || got.Get("code") == "" {
			p.Errorf("%v", got)
		}
	}},
	{"EnsureAuthorizationRequestWithoutNonceSuccess", func(p fapiPlan, b *browser) {
		if _, id := p.flow(b, "nonce", ""); id["nonce"] != nil {
			p.Errorf("%v", id)
		}
	}},
	{"EnsureAuthorizationRequestWith64CharNonceSuccess", fapiNonce(64)},
	{"EnsureOtherScopeOrderSucceeds", func(p fapiPlan, b *browser) { p.flow(b, "scope", "email profile openid") }},
	{"TestClaimsParameterIdentityClaims", func(p fapiPlan, b *browser) {
		_, id := p.flow(b, "scope", "openid profile email", "claims", `{"id_token":{"given_name":{"essential":true},"email":null}}`)
		if id["given_name"] != "Jane" || id["email"] != p.user.Email {
			p.Errorf("%v", id)
		}
	}},
	{"AccessTokenTypeHeaderCaseSensitivity", func(p fapiPlan, b *browser) {
		tokens, _ := p.flow(b)
		raw := tokens["access_token"].(string)
		if p.mtls {
			p.proof.call(p.s, http.MethodGet, "/oauth2/userinfo", "bEARER", raw).is(p.T, http.StatusOK, "")
			return
		}
		p.proof.call(p.s, http.MethodGet, "/oauth2/userinfo", "dpOp", raw, p.proof.proof(http.MethodGet, "/oauth2/userinfo", "ath", hashed(raw))).is(p.T, http.StatusOK, "")
	}},
	{"CheckDpopProofNbfExp", func(p fapiPlan, b *browser) {
		now := p.s.Clock.Now()
		code := p.code(b)
		for _, pairs := range [][]any{{"exp", now.Add(-time.Minute).Unix()}, {"nbf", now.Add(5 * time.Minute).Unix()}} {
			p.proof.post(p.s, tokenPath, p.assert(p.tokenForm(code)), p.proof.proof(http.MethodPost, tokenPath, pairs...)).is(p.T, http.StatusBadRequest, "invalid_dpop_proof")
		}
		p.proof.post(p.s, tokenPath, p.assert(p.tokenForm(code)), p.proof.proof(http.MethodPost, tokenPath, "exp", now.Add(time.Minute).Unix(), "nbf", now.Add(-time.Minute).Unix())).is(p.T, http.StatusOK, "")
	}},
	{"EnsureDpopProofWithIat10SecondsBeforeSucceeds", fapiProofAt(-10 * time.Second)},
	{"EnsureDpopProofWithIat10SecondsAfterSucceeds", fapiProofAt(10 * time.Second)},
	{"EnsureMismatchedDpopJktFails", func(p fapiPlan, _ *browser) {
		p.push(p.request("dpop_jkt", newProofKey(p.T, p.s).thumbprint()), p.proof.proof(http.MethodPost, "/oauth2/par")).is(p.T, http.StatusBadRequest, "invalid_dpop_proof")
	}},
	{"EnsureTokenEndpointFailsWithMismatchedDpopProofJkt", func(p fapiPlan, b *browser) {
		got := p.push(p.request(), p.proof.proof(http.MethodPost, "/oauth2/par"))
		p.redeem(p.front(b, got.body["request_uri"].(string)).Get("code"), p.holder(p.cert)).is(p.T, http.StatusBadRequest, "invalid_grant")
	}},
	{"EnsureTokenEndpointFailsWithMismatchedDpopJkt", func(p fapiPlan, b *browser) {
		p.redeem(p.code(b, "dpop_jkt", p.proof.thumbprint()), p.holder(p.cert)).is(p.T, http.StatusBadRequest, "invalid_grant")
	}},
	{"EnsureDpopProofAtParEndpointBindingSuccess", func(p fapiPlan, b *browser) {
		got := p.push(p.request(), p.proof.proof(http.MethodPost, "/oauth2/par"))
		p.redeem(p.front(b, got.body["request_uri"].(string)).Get("code"), p.proof).is(p.T, http.StatusOK, "")
	}},
	{"EnsureDpopAuthCodeBindingSuccess", func(p fapiPlan, b *browser) {
		p.redeem(p.code(b, "dpop_jkt", p.proof.thumbprint()), p.proof).is(p.T, http.StatusOK, "")
	}},
	{"EnsureDifferentNonceInsideAndOutsideRequestObject", func(p fapiPlan, b *browser) {
		got := p.redeem(p.front(b, p.pushed(), "nonce", "outside").Get("code"), p.proof)
		if id := idClaims(p.T, got.body["id_token"]); id["nonce"] != "n-1" {
			p.Errorf("%v", id)
		}
	}},
	{"EnsureDifferentStateInsideAndOutsideRequestObject", func(p fapiPlan, b *browser) {
		if got := p.front(b, p.pushed(), "state", "outside"); got.Get("state") != "st" {
			p.Errorf("%v", got)
		}
	}},
	{"EnsureAuthorizationRequestWithLongNonce", fapiNonce(384)},
	{"EnsureAuthorizationRequestWithLongState", func(p fapiPlan, b *browser) {
		if got := p.front(b, p.pushed("state", strings.Repeat("s", 1000))); got.Get("state") != strings.Repeat("s", 1000) {
			p.Errorf("%v", got)
		}
	}},
	{"StateOnlyOutsideRequestObjectNotUsed", func(p fapiPlan, b *browser) {
		if got := p.front(b, p.pushed("state", ""), "state", "outside"); got.Has("state") || got.Get("code") == "" {
			p.Errorf("%v", got)
		}
	}},
	{"EnsureRequestObjectWithoutRedirectUriFails", func(p fapiPlan, _ *browser) { p.refusesPush(p.request("redirect_uri", ""), "invalid_request") }},
	{"EnsureRegisteredRedirectUri", func(p fapiPlan, _ *browser) {
		p.refusesPush(p.request("redirect_uri", callback+"/other"), "invalid_request")
	}},
	{"TolerateUnregisteredRedirectUri", func(p fapiPlan, _ *browser) {
		p.refusesPush(p.request("redirect_uri", "https://app.example/new"), "invalid_request")
	}},
	{"EnsureUnsignedAuthorizationRequestWithoutUsingParFails", func(p fapiPlan, b *browser) {
		b.open(authorizeURL(p.s, p.app))
		if got := b.answer(); got.Has("code") || got.Get("error") != "invalid_request" && got.Get("error") != "invalid_request_object" {
			p.Errorf("%v", got)
		}
		if p.signed {
			b.open(p.s.URL + "/oauth2/authorize?" + p.request().Encode())
			if got := b.answer(); got.Get("error") != "invalid_request" || got.Has("code") {
				p.Errorf("signed and not pushed: %v", got)
			}
		}
	}},
	{"EnsureRedirectUriInAuthorizationRequest", func(p fapiPlan, b *browser) {
		p.refusesPush(p.request("redirect_uri", ""), "invalid_request")
		p.onPage(b, url.Values{"client_id": {p.app.ID}, "response_type": {"code"}, "scope": {"openid"}})
	}},
	{"EnsureResponseTypeCodeIdTokenFails", func(p fapiPlan, _ *browser) {
		p.refusesPush(p.request("response_type", "code id_token"), "unsupported_response_type", "invalid_request")
	}},
	{"EnsureResponseTypeTokenFails", func(p fapiPlan, _ *browser) {
		p.refusesPush(p.request("response_type", "token"), "unsupported_response_type", "invalid_request")
	}},
	{"EnsureClientIdInTokenEndpoint", func(p fapiPlan, b *browser) { // as client two, with key and certificate of client one
		form := p.tokenForm(p.code(b))
		p.app = p.two
		form.Set("client_id", p.app.ID)
		p.token(p.assert(form), p.proof).is(p.T, http.StatusUnauthorized, "invalid_client")
	}},
	{"EnsureHolderOfKeyRequired", func(p fapiPlan, b *browser) {
		code := p.code(b)
		p.refusesUnbound(p.tokenForm(code))
		p.redeem(code, p.proof).is(p.T, http.StatusOK, "") // the refusal left the code as it was
	}},
	{"EnsureAuthorizationCodeIsBoundToClient", func(p fapiPlan, b *browser) {
		code, two := p.code(b), p.second()
		two.redeem(code, two.proof).is(p.T, http.StatusBadRequest, "invalid_grant")
	}},
	{"AttemptReuseAuthorizationCodeAfterOneSecond", func(p fapiPlan, b *browser) {
		code := p.code(b)
		got := p.redeem(code, p.proof)
		p.s.Clock.Move(time.Second)
		p.redeem(code, p.proof).is(p.T, http.StatusBadRequest, "invalid_grant")
		p.s.Clock.Move(2 * time.Second)
		if got := p.uses(got.body["access_token"], p.proof); got.status != http.StatusUnauthorized {
			p.Errorf("the token of a code that was used twice: %d", got.status)
		}
	}},
	{"AttemptToUseExpiredAuthCode", func(p fapiPlan, b *browser) {
		code := p.code(b)
		p.s.Clock.Move(61 * time.Second)
		p.redeem(code, p.proof).is(p.T, http.StatusBadRequest, "invalid_grant")
	}},
	{"EnsureSignedClientAssertionWithRS256Fails", func(p fapiPlan, _ *browser) {
		p.refusesAssertion(signJWT(p.T, "RS256", p.rsa.private, map[string]any{"kid": "r"}, assertionClaims(p.s, p.app.ID)))
		form := withAssertion(p.rsa.sign(p.T, "", assertionClaims(p.s, p.app.ID)), p.request())
		p.proof.post(p.s, "/oauth2/par", form).is(p.T, http.StatusCreated, "") // the same key under PS256
	}},
	{"EnsureClientAssertionInTokenEndpoint", func(p fapiPlan, b *browser) {
		p.refusesUnproved(tokenPath, p.tokenForm(p.code(b)))
	}},
	{"EnsureClientAssertionWithExpIs5MinutesInPastFails", func(p fapiPlan, _ *browser) {
		p.refusesClaims("exp", p.s.Clock.Now().Add(-5*time.Minute).Unix())
	}},
	{"EnsureClientAssertionWithWrongAudFails", func(p fapiPlan, _ *browser) { p.refusesClaims("aud", "https://other.example") }},
	{"EnsureClientAssertionWithNoSubFails", func(p fapiPlan, _ *browser) { p.refusesClaims("sub", nil) }},
	{"EnsureInvalidClientAssertionsFail", func(p fapiPlan, _ *browser) { p.refusesBadAssertions("/oauth2/par", p.request()) }},
	{"DpopNegativeTests", func(p fapiPlan, b *browser) {
		code, now := p.code(b), p.s.Clock.Now()
		once := p.proof.proof(http.MethodPost, tokenPath)
		p.proof.post(p.s, tokenPath, p.assert(p.tokenForm(p.code(b))), once).is(p.T, http.StatusOK, "")
		rs256 := newClientKey(p.T, "RS256", "x")
		for name, proofs := range map[string][]string{
			"used before": {once}, "two": {p.proof.proof(http.MethodPost, tokenPath), p.proof.proof(http.MethodPost, tokenPath)},
			"htm": {p.proof.proof(http.MethodGet, tokenPath)}, "htu": {p.proof.proof(http.MethodPost, "/oauth2/par")}, "no jti": {p.proof.proof(http.MethodPost, tokenPath, "jti", nil)},
			"old": {p.proof.proof(http.MethodPost, tokenPath, "iat", now.Add(-2*time.Minute).Unix())}, "ahead": {p.proof.proof(http.MethodPost, tokenPath, "iat", now.Add(2*time.Minute).Unix())},
			"typ": {p.proof.sign(p.proof.header("typ", "JWT"), p.proof.claims(http.MethodPost, tokenPath))}, "none": {encoded(p.proof.header("alg", "none")) + "." + encoded(p.proof.claims(http.MethodPost, tokenPath)) + "."},
			"RS256": {signJWT(p.T, "RS256", rs256.private, map[string]any{"typ": "dpop+jwt", "jwk": publicJWK(p.T, rs256)}, p.proof.claims(http.MethodPost, tokenPath))},
		} {
			if got := p.proof.post(p.s, tokenPath, p.assert(p.tokenForm(code)), proofs...); got.status != http.StatusBadRequest || got.body["error"] != "invalid_dpop_proof" {
				p.Errorf("%s: %d %v", name, got.status, got.body)
			}
		}
		p.redeem(code, p.proof).is(p.T, http.StatusOK, "") // the refusals left the code as it was
	}},
	{"RefreshToken", func(p fapiPlan, b *browser) {
		tokens, _ := p.flow(b, "scope", "openid offline_access", "prompt", "consent")
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}
		for range 3 {
			got := p.token(p.assert(form), p.proof)
			got.is(p.T, http.StatusOK, "")
			if got.body["refresh_token"] != tokens["refresh_token"] {
				p.Error("it rotated")
			}
			p.s.Clock.Move(31 * time.Second)
		}
		fresh := p.holder(p.cert) // the suite comes with another DPoP key each time
		got := p.token(p.assert(form), fresh)
		got.is(p.T, http.StatusOK, "")
		p.uses(got.body["access_token"], fresh).is(p.T, http.StatusOK, "")
		if old := p.uses(got.body["access_token"], p.proof); !p.mtls && old.status != http.StatusUnauthorized {
			p.Errorf("with the key before: %d", old.status)
		}
		p.refusesUnbound(form)
		p.refusesUnproved(tokenPath, form)
		two := p.second()
		two.token(two.assert(form), two.proof).is(p.T, http.StatusBadRequest, "invalid_grant")
	}},
	{"PAREnsureServerAcceptsReusedRequestUriBeforeAuthenticationCompletion", func(p fapiPlan, b *browser) {
		uri := p.pushed()
		b.open(p.s.URL + "/oauth2/authorize?" + url.Values{"client_id": {p.app.ID}, "request_uri": {uri}}.Encode())
		b.at("login")
		if got := p.front(b, uri); got.Get("code") == "" {
			p.Errorf("%v", got)
		}
	}},
	{"PARAttemptReuseRequestUri", func(p fapiPlan, b *browser) {
		uri := p.pushed()
		p.front(b, uri)
		p.onPage(b, url.Values{"client_id": {p.app.ID}, "request_uri": {uri}})
	}},
	{"PARAttemptToUseExpiredRequestUri", func(p fapiPlan, b *browser) {
		uri := p.pushed()
		p.s.Clock.Move(10 * time.Minute)
		p.onPage(b, url.Values{"client_id": {p.app.ID}, "request_uri": {uri}})
	}},
	{"PAREnsureJWTClientAssertionWithIatNbf8SecondsInTheFutureIsAccepted", func(p fapiPlan, _ *browser) {
		ahead := p.s.Clock.Now().Add(8 * time.Second).Unix()
		p.proof.post(p.s, "/oauth2/par", p.assert(p.request(), "iat", ahead, "nbf", ahead)).is(p.T, http.StatusCreated, "")
	}},
	{"PAREnsureJWTClientAssertionWithIatNbfOver60SecondsInTheFutureFails", func(p fapiPlan, _ *browser) {
		ahead := p.s.Clock.Now().Add(61 * time.Second)
		p.refusesClaims("iat", ahead.Unix(), "nbf", ahead.Unix(), "exp", ahead.Add(time.Minute).Unix())
	}},
	{"PAREnsureRequestUriIsBoundToClient", func(p fapiPlan, b *browser) {
		p.onPage(b, url.Values{"client_id": {p.two.ID}, "request_uri": {p.pushed()}})
	}},
	{"PARRejectRequestUriInParAuthorizationFormParams", func(p fapiPlan, _ *browser) {
		form := p.request()
		form.Set("request_uri", p.pushed())
		p.refusesPush(form, "invalid_request")
	}},
	{"PARRejectInvalidHttpVerb", func(p fapiPlan, _ *browser) {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			if status := p.s.Call(method, "/oauth2/par", "", nil, nil); status != http.StatusMethodNotAllowed {
				p.Errorf("%s: %d", method, status)
			}
		}
	}},
	{"PAREnsurePKCERequired", func(p fapiPlan, _ *browser) {
		p.refusesPush(p.request("code_challenge", "", "code_challenge_method", ""), "invalid_request")
	}},
	{"PAREnsurePKCECodeVerifierRequired", func(p fapiPlan, b *browser) {
		form := p.tokenForm(p.code(b))
		form.Del("code_verifier")
		p.token(p.assert(form), p.proof).is(p.T, http.StatusBadRequest, "invalid_grant")
	}},
	{"PARIncorrectPKCECodeVerifierRejected", func(p fapiPlan, b *browser) {
		form := p.tokenForm(p.code(b))
		form.Set("code_verifier", strings.Repeat("x", 64))
		p.token(p.assert(form), p.proof).is(p.T, http.StatusBadRequest, "invalid_grant")
	}},
	{"PAREnsurePlainPKCERejected", func(p fapiPlan, _ *browser) {
		p.refusesPush(p.request("code_challenge", verifier, "code_challenge_method", "plain"), "invalid_request")
	}},
	{"ParWithoutDuplicateParameters", func(p fapiPlan, b *browser) { p.flow(b) }},
	{"PAREndpointAsArrayAudienceFails", func(p fapiPlan, _ *browser) { p.refusesClaims("aud", []string{p.s.Issuer + "/oauth2/par"}) }},
	{"PAREndpointAsAudienceFails", func(p fapiPlan, _ *browser) { p.refusesClaims("aud", p.s.Issuer+"/oauth2/par") }},
	{"PARTokenEndpointAsAudienceFails", func(p fapiPlan, _ *browser) {
		p.refusesClaims("aud", p.s.Issuer+tokenPath)
		p.refusesClaims("aud", []string{p.s.Issuer, p.s.Issuer + tokenPath})
	}},
}

// signingModules are those that the message signing plan has besides.
var signingModules = []fapiModule{
	{"EnsureServerAcceptsRequestObjectWithMultipleAud", takesObject(func(p fapiPlan) []any { return []any{"aud", []string{p.s.Issuer, "https://other.example"}} })},
	{"EnsureRequestObjectWithNbf8SecondsInTheFutureIsAccepted", takesObject(func(p fapiPlan) []any { return []any{"nbf", p.s.Clock.Now().Add(8 * time.Second).Unix()} })},
	{"EnsureRequestObjectWithoutExpFails", refusesObject(func(fapiPlan) []any { return []any{"exp", nil} })},
	{"EnsureRequestObjectWithoutNbfFails", refusesObject(func(fapiPlan) []any { return []any{"nbf", nil} })},
	{"EnsureExpiredRequestObjectFails", refusesObject(func(p fapiPlan) []any { return []any{"exp", p.s.Clock.Now().Add(-5 * time.Minute).Unix()} })},
	{"EnsureRequestObjectWithBadAudFails", refusesObject(func(fapiPlan) []any { return []any{"aud", "https://other.example"} })},
	{"EnsureRequestObjectWithExpOver60Fails", refusesObject(func(p fapiPlan) []any { return []any{"exp", p.s.Clock.Now().Add(70 * time.Minute).Unix()} })},
	{"EnsureRequestObjectWithNbfOver60Fails", refusesObject(func(p fapiPlan) []any { return []any{"nbf", p.s.Clock.Now().Add(-70 * time.Minute).Unix()} })},
	{"EnsureSignedRequestObjectWithRS256Fails", func(p fapiPlan, _ *browser) {
		p.refusesPush(url.Values{"request": {signJWT(p.T, "RS256", p.rsa.private, map[string]any{"kid": "r", "typ": objectType}, objectClaims(p.s, p.app.ID))}}, "invalid_request_object")
	}},
	{"EnsureRequestObjectSignatureAlgorithmIsNotNone", func(p fapiPlan, _ *browser) {
		p.refusesPush(url.Values{"request": {encoded(map[string]any{"alg": "none"}) + "." + encoded(objectClaims(p.s, p.app.ID)) + "."}}, "invalid_request_object")
	}},
	{"EnsureRequestObjectWithInvalidSignatureFails", func(p fapiPlan, _ *browser) {
		raw := p.request().Get("request")
		p.refusesPush(url.Values{"request": {raw[:len(raw)-8] + "AAAAAAAA"}}, "invalid_request_object")
	}},
	{"EnsureMatchingKeyInAuthorizationRequest", func(p fapiPlan, _ *browser) { // signed by the key of client two
		p.refusesPush(url.Values{"request": {p.twoKey.sign(p.T, objectType, objectClaims(p.s, p.app.ID))}}, "invalid_request_object")
	}},
	{"EnsureUnsignedRequestAtParEndpointFails", func(p fapiPlan, _ *browser) {
		p.signed = false
		p.refusesPush(p.request(), "invalid_request", "invalid_request_object")
	}},
	{"PARRejectRequestUriInParAuthorizationRequest", refusesObject(func(p fapiPlan) []any { return []any{"request_uri", p.pushed()} })},
}

func publicJWK(t *testing.T, k clientKey) any {
	t.Helper()
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(jwks(t, k), &set); err != nil {
		t.Fatal(err)
	}
	delete(set.Keys[0], "use")
	return set.Keys[0]
}

func takesObject(pairs func(fapiPlan) []any) func(fapiPlan, *browser) {
	return func(p fapiPlan, b *browser) {
		got := p.push(url.Values{"request": {p.key.sign(p.T, objectType, objectClaims(p.s, p.app.ID, pairs(p)...))}})
		got.is(p.T, http.StatusCreated, "")
		uri, _ := got.body["request_uri"].(string)
		p.redeem(p.front(b, uri).Get("code"), p.proof).is(p.T, http.StatusOK, "")
	}
}

func refusesObject(pairs func(fapiPlan) []any) func(fapiPlan, *browser) {
	return func(p fapiPlan, _ *browser) {
		p.refusesPush(url.Values{"request": {p.key.sign(p.T, objectType, objectClaims(p.s, p.app.ID, pairs(p)...))}}, "invalid_request_object")
	}
}

func fapiNonce(n int) func(fapiPlan, *browser) {
	return func(p fapiPlan, b *browser) {
		nonce := strings.Repeat("n", n)
		if _, id := p.flow(b, "nonce", nonce); id["nonce"] != nonce {
			p.Errorf("%v", id)
		}
	}
}

func fapiProofAt(d time.Duration) func(fapiPlan, *browser) {
	return func(p fapiPlan, b *browser) {
		at := p.s.Clock.Now().Add(d).Unix()
		got := p.proof.post(p.s, tokenPath, p.assert(p.tokenForm(p.code(b))), p.proof.proof(http.MethodPost, tokenPath, "iat", at))
		got.is(p.T, http.StatusOK, "")
		p.proof.uses(p.s, http.MethodGet, "/oauth2/userinfo", got.body["access_token"], "iat", p.s.Clock.Now().Add(d).Unix()).is(p.T, http.StatusOK, "")
	}
}

// TestProfiles: what a profile turns on, and what it refuses when a client is
// written, by whom it may be (FAPI 2.0 Security Profile section 5.3.2.1).
func TestProfiles(t *testing.T) {
	s := keystonetest.Start(t)
	set := jwks(t, newClientKey(t, "ES256", "a"))
	base := func(profile string) map[string]any {
		return map[string]any{"name": "Bank", "kind": "web", "redirect_uris": []string{callback}, "scopes": []string{"openid"}, "profile": profile, "token_endpoint_auth_method": "private_key_jwt", "jwks": set}
	}
	type client struct {
		ID           string   `json:"client_id"`
		Profile      string   `json:"profile"`
		RequirePAR   bool     `json:"require_par"`
		DPoPBound    bool     `json:"dpop_bound"`
		Signed       bool     `json:"require_signed_request_object"`
		RequirePKCE  bool     `json:"require_pkce"`
		IDTokenAlg   string   `json:"id_token_signed_response_alg"`
		ResponseAlg  string   `json:"authorization_signed_response_alg"`
		Warnings     []string `json:"warnings"`
		ProfileRules []string `json:"profile_rules"`
	}
	for _, profile := range []string{"fapi2", "fapi2-message-signing"} {
		var c client
		if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), base(profile), &c); status != http.StatusCreated {
			t.Fatalf("%s: %d", profile, status)
		}
		if !c.RequirePAR || !c.DPoPBound || c.IDTokenAlg != "PS256" || c.ResponseAlg != "PS256" || !c.RequirePKCE || c.Signed != (profile == "fapi2-message-signing") || len(c.Warnings) != 0 || len(c.ProfileRules) < 6 {
			t.Errorf("%s: %+v", profile, c)
		}
		if !published(s)["PS256"] {
			t.Error("the key of PS256 is not published")
		}
		for name, change := range map[string]map[string]any{ // later, and at registration
			"public":            {"kind": "spa", "token_endpoint_auth_method": "none"},
			"a secret":          {"token_endpoint_auth_method": "client_secret_basic"},
			"a signed secret":   {"token_endpoint_auth_method": "client_secret_jwt"},
			"no method":         {"token_endpoint_auth_method": ""},
			"RS256 assertions":  {"token_endpoint_auth_signing_alg": "RS256"},
			"RS256 ID tokens":   {"id_token_signed_response_alg": "RS256"},
			"RS256 requests":    {"request_object_signing_alg": "RS256"},
			"RS256 responses":   {"authorization_signed_response_alg": "RS256"},
			"RS256 userinfo":    {"userinfo_signed_response_alg": "RS256"},
			"RS256 introspect":  {"introspection_signed_response_alg": "RS256"},
			"no PKCE":           {"require_pkce": false},
			"legacy audience":   {"assertion_audience": "legacy"},
			"http":              {"redirect_uris": []string{"http://127.0.0.1/cb"}},
			"device grant":      {"grants": []string{keystone.GrantDeviceCode}},
			"exchange grant":    {"grants": []string{keystone.GrantTokenExchange}},
			"unknown profile":   {"profile": "fapi3"},
			"profile of no one": {"profile": "FAPI2"},
		} {
			body := base(profile)
			maps.Copy(body, change)
			if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), body, nil); status != http.StatusBadRequest {
				t.Errorf("%s, %s: made with %d", profile, name, status)
			}
			if change["kind"] != nil {
				continue
			}
			if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), change, nil); status != http.StatusBadRequest {
				t.Errorf("%s, %s: changed with %d", profile, name, status)
			}
		}
		if s.Call(http.MethodPatch, "/api/v1/admin/clients/"+c.ID, s.Admin(), map[string]any{"require_par": false, "dpop_bound": false, "require_signed_request_object": false}, &c); !c.RequirePAR || !c.DPoPBound {
			t.Errorf("%s was weakened: %+v", profile, c)
		}
	}
	var old client
	if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), base("oidc-legacy"), &old); status != http.StatusCreated || old.RequirePKCE || len(old.Warnings) != 3 {
		t.Errorf("oidc-legacy: %d %+v", status, old)
	}
	if s.Call(http.MethodPatch, "/api/v1/admin/clients/"+old.ID, s.Admin(), map[string]any{"profile": "oauth21"}, &old); !old.RequirePKCE || len(old.Warnings) != 0 {
		t.Errorf("back to oauth21, what was loose stays: %+v", old)
	}
	if status := s.Call(http.MethodPatch, "/api/v1/admin/clients/"+old.ID, s.Admin(), map[string]any{"profile": "fapi2"}, &old); status != http.StatusOK || !old.RequirePAR {
		t.Errorf("on to fapi2: %d %+v", status, old)
	}
	public := map[string]any{"name": "Page", "kind": "spa", "redirect_uris": []string{callback}, "profile": "oidc-legacy"}
	if status := s.Call(http.MethodPost, "/api/v1/admin/clients", s.Admin(), public, &old); status != http.StatusCreated || !old.RequirePKCE {
		t.Errorf("a public client goes without PKCE: %d %+v", status, old)
	}
}

// TestLegacyProfile: what it lets a client off, and nobody else.
func TestLegacyProfile(t *testing.T) {
	s := keystonetest.Start(t)
	jane, k := s.CreateUser("jane"), newClientKey(t, "RS256", "a")
	app := fapiClient(s, keystone.ProfileLegacy, jwks(t, k))
	b := newBrowser(t, s)
	b.open(byObject(s, app, k.sign(t, "", map[string]any{"redirect_uri": callback, "response_type": "code", "scope": "openid", "state": "inside"})))
	b.signIn(jane)
	b.submit(map[string]string{"decision": "allow"})
	form := url.Values{"grant_type": {"authorization_code"}, "code": {b.answer().Get("code")}, "redirect_uri": {callback}}
	status, tokens := postForm(t, s, tokenPath, withAssertion(k.sign(t, "", assertionClaims(s, app.ID, "aud", s.Issuer+tokenPath)), form))
	if status != http.StatusOK || tokens["id_token"] == nil {
		t.Fatalf("%d %v", status, tokens)
	}
	for name, pairs := range map[string][]any{"iss": {"iss", "somebody"}, "aud": {"aud", "https://other.example"}, "exp": {"exp", s.Clock.Now().Add(-time.Minute).Unix()}, "client_id": {"client_id", "somebody"}} {
		b.open(byObject(s, app, k.sign(t, "", objectClaims(s, app.ID, pairs...)), "redirect_uri", callback))
		if got := b.answer(); got.Get("error") != "invalid_request_object" {
			t.Errorf("a wrong %s: %v", name, got)
		}
	}
}

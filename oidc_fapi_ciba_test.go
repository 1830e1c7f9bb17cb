package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// cibaPlan is what the modules of fapi-ciba-id1-test-plan run against: clients of
// the profile fapi2 that sign their requests, that poll and that are told.
type cibaPlan struct {
	fapiPlan
	told  *told
	pings map[fapiVariant]keystonetest.Client
}

func newCIBAPlan(t *testing.T) cibaPlan {
	n, reach := newTold(t)
	client := func(s *keystonetest.Server, set []byte, registers func(*keystone.ClientSettings), more ...func(*keystone.Client)) keystonetest.Client {
		return bankClient(s, append(more, func(c *keystone.Client) {
			registers(&c.ClientSettings)
			c.Profile, c.JWKS, c.BackchannelAlg = keystone.ProfileFAPI2, set, "ES256"
		})...)
	}
	p := cibaPlan{told: n, pings: map[fapiVariant]keystonetest.Client{}}
	p.fapiPlan = startFAPI(t, "ES256", func(s *keystonetest.Server, set []byte, registers func(*keystone.ClientSettings)) keystonetest.Client {
		return client(s, set, registers)
	}, reach)
	p.rsa.alg = "RS256"
	for _, v := range fapiVariants {
		p.pings[v] = client(p.s, p.sets[0], v.registers("one"), func(c *keystone.Client) {
			c.BackchannelDelivery, c.BackchannelNotify = keystone.DeliveryPing, n.URL+"/told"
		})
	}
	return p
}

// asks is a signed request of app, its claims changed by pairs.
func (p cibaPlan) asks(pairs ...any) url.Values {
	p.Helper()
	now := p.s.Clock.Now()
	claims := map[string]any{"iss": p.app.ID, "aud": p.s.Issuer, "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "nbf": now.Unix(), "jti": "j",
		"scope": "openid profile", "login_hint": p.user.Username, "client_notification_token": notifyToken}
	typ := "JWT"
	if p.app.ID == p.two.ID { // as the suite's second client
		typ = objectType
	}
	return url.Values{"request": {p.key.sign(p.T, typ, changed(claims, pairs))}}
}

func (p cibaPlan) begin(form url.Values) answered {
	p.Helper()
	return p.proof.post(p.s, "/oauth2/bc-authorize", p.assert(form))
}

func (p cibaPlan) begun(pairs ...any) string {
	p.Helper()
	got := p.begin(p.asks(pairs...))
	id, _ := got.body["auth_req_id"].(string)
	if got.status != http.StatusOK || id == "" || got.body["expires_in"].(float64) <= 0 {
		p.Fatalf("%d %v", got.status, got.body)
	}
	return id
}

func (p cibaPlan) polls(id string, pairs ...any) answered {
	p.Helper()
	form := url.Values{"grant_type": {keystone.GrantCIBA}, "auth_req_id": {id}}
	return p.token(p.assert(form, pairs...), p.proof)
}

func (p cibaPlan) flow(b *browser, pairs ...any) answered {
	p.Helper()
	id := p.begun(pairs...)
	p.polls(id).is(p.T, http.StatusBadRequest, "authorization_pending")
	b.look(p.user)
	b.says("allow")
	got := p.polls(id)
	if got.status != http.StatusOK || got.body["token_type"] != p.scheme() {
		p.Fatalf("%d %v", got.status, got.body)
	}
	claims := verifiedJWT(p.T, p.s, got.body["id_token"].(string), "PS256", "JWT")
	if claims["sub"] != p.user.ID || claims["aud"] != p.app.ID {
		p.Errorf("%v", claims)
	}
	p.uses(got.body["access_token"], p.proof).is(p.T, http.StatusOK, "")
	return got
}

func (p cibaPlan) refuses(pairs ...any) {
	p.Helper()
	p.begin(p.asks(pairs...)).is(p.T, http.StatusBadRequest, "invalid_request")
}

// notified is what is done where the client's address answers with a status.
func (p cibaPlan) notified(b *browser, status, times int) {
	p.Helper()
	p.app = p.pings[p.fapiVariant]
	p.told.mu.Lock()
	p.told.answer = func(string) int { return status }
	p.told.mu.Unlock()
	before := len(p.told.got("/told"))
	id := p.begun()
	b.look(p.user)
	b.says("allow")
	if ids := p.told.wait(p.T, "/told", before+1); ids[before] != id {
		p.Errorf("told of %v", ids)
	}
	time.Sleep(200 * time.Millisecond) // what is in flight is written down
	p.s.Clock.Move(6 * time.Second)
	time.Sleep(1500 * time.Millisecond) // a round of the job
	if ids := p.told.got("/told"); len(ids) != before+times || slices.Contains(p.told.got("/elsewhere"), id) {
		p.Errorf("told %d times", len(ids)-before)
	}
	p.polls(id).is(p.T, http.StatusOK, "")
}

type cibaModule struct {
	name string
	run  func(cibaPlan, *browser)
}

// TestFAPICIBAPlan goes through the modules of fapi-ciba-id1-test-plan (plain FAPI, poll
// and ping) by the names of their classes, over https. The suite has tokens that are
// bound to certificates; those that are bound to DPoP keys are run too. Who is told
// waits for a job, which knows no variants: once is enough.
func TestFAPICIBAPlan(t *testing.T) {
	p := newCIBAPlan(t)
	for i, module := range cibaModules {
		p.Run(module.name, func(t *testing.T) {
			for j, v := range fapiVariants {
				if !v.has(module.name) || j > 0 && strings.HasPrefix(module.name, "PingNotificationEndpointReturns") && !strings.HasSuffix(module.name, "Body") {
					continue
				}
				t.Run(v.String(), func(t *testing.T) {
					p := p
					p.fapiPlan = p.in(t, v)
					p.user = p.s.CreateUser(fmt.Sprintf("jane%d-%d", i, j))
					module.run(p, newBrowser(t, p.s))
				})
			}
		})
	}
}

func refusesClaims(pairs ...any) func(cibaPlan, *browser) {
	return func(p cibaPlan, _ *browser) { p.refuses(pairs...) }
}

// at is a time of the server's clock that claims are made of.
func at(name string, ahead time.Duration) func(cibaPlan, *browser) {
	return func(p cibaPlan, _ *browser) { p.refuses(name, p.s.Clock.Now().Add(ahead).Unix()) }
}

var cibaModules = []cibaModule{
	{"DiscoveryEndpointVerification", func(p cibaPlan, _ *browser) {
		var facts map[string]any
		p.s.Call(http.MethodGet, "/.well-known/openid-configuration", "", nil, &facts)
		for name, want := range map[string]string{"backchannel_token_delivery_modes_supported": "ping", "backchannel_authentication_request_signing_alg_values_supported": "PS256",
			"grant_types_supported": keystone.GrantCIBA, "token_endpoint_auth_methods_supported": p.auth} {
			if list, _ := facts[name].([]any); !slices.Contains(list, any(want)) {
				p.Errorf("%s lacks %s: %v", name, want, list)
			}
		}
		if list, _ := facts["backchannel_token_delivery_modes_supported"].([]any); slices.Contains(list, any("push")) {
			p.Error("push")
		}
		if facts["backchannel_authentication_endpoint"] != p.s.Issuer+"/oauth2/bc-authorize" || facts["backchannel_user_code_parameter_supported"] != false {
			p.Errorf("%v", facts)
		}
	}},
	{"FAPICIBAID1", func(p cibaPlan, b *browser) {
		p.flow(b)
		one := p.cert
		p.fapiPlan = p.second()
		got := p.flow(b, "requested_expiry", 300, "acr_values", keystone.ACRPassword, "client_notification_token", strings.Repeat("n", 1024))
		if id := idClaims(p.T, got.body["id_token"]); id["acr"] != keystone.ACRPassword {
			p.Errorf("%v", id)
		}
		for name, k := range map[string]*proofKey{"client one": p.holder(one), "nobody": p.holder(nil)} {
			if got := p.uses(got.body["access_token"], k); got.status != http.StatusUnauthorized {
				p.Errorf("client two's token with the keys of %s: %d", name, got.status)
			}
		}
	}},
	{"UserRejectsAuthentication", func(p cibaPlan, b *browser) {
		id := p.begun()
		b.look(p.user)
		b.says("deny")
		p.polls(id).is(p.T, http.StatusBadRequest, "access_denied")
	}},
	{"MultipleCallToTokenEndpoint", func(p cibaPlan, b *browser) {
		id := p.begun()
		for range 20 {
			if got := p.polls(id); got.status != http.StatusBadRequest || got.body["error"] != "authorization_pending" && got.body["error"] != "slow_down" {
				p.Fatalf("%d %v", got.status, got.body)
			}
		}
		b.look(p.user)
		b.says("allow")
		p.polls(id).is(p.T, http.StatusOK, "")
		p.polls(id).is(p.T, http.StatusBadRequest, "invalid_grant")
	}},
	{"AuthReqIdExpired", func(p cibaPlan, _ *browser) {
		id := p.begun("requested_expiry", 30)
		p.s.Clock.Move(31 * time.Second)
		p.polls(id).is(p.T, http.StatusBadRequest, "expired_token")
	}},
	{"EnsureAuthorizationRequestWithBindingMessageSucceeds", func(p cibaPlan, b *browser) { p.flow(b, "binding_message", "1234") }},
	{"EnsureOtherScopeOrderSucceeds", func(p cibaPlan, b *browser) { p.flow(b, "scope", "profile openid") }},
	{"EnsureRequestedExpiryAsStringSucceeds", func(p cibaPlan, _ *browser) {
		if got := p.begin(p.asks("requested_expiry", "45")); got.body["expires_in"] != 45.0 {
			p.Errorf("%v", got.body)
		}
	}},
	{"EnsureAuthorizationRequestWithPotentiallyBadBindingMessage", func(p cibaPlan, b *browser) {
		const message = "1234 👍🏿 𝌆 品川 Lor"
		p.begun("binding_message", message)
		b.look(p.user)
		if !strings.Contains(b.page.body, message) {
			p.Errorf("%s", b.page.body)
		}
		p.begin(p.asks("binding_message", strings.Repeat(message, 10))).is(p.T, http.StatusBadRequest, "invalid_binding_message")
	}},
	{"EnsureRequestObjectMissingAudFails", refusesClaims("aud", nil)},
	{"EnsureRequestObjectBadAudFails", refusesClaims("aud", "https://other.example")},
	{"EnsureRequestObjectMissingIssFails", refusesClaims("iss", nil)},
	{"EnsureRequestObjectBadIssFails", refusesClaims("iss", "other")},
	{"EnsureRequestObjectMissingExpFails", refusesClaims("exp", nil)},
	{"EnsureRequestObjectExpiredExpFails", at("exp", -5*time.Minute)},
	{"EnsureRequestObjectExpIs70MinutesInFutureFails", at("exp", 70*time.Minute)},
	{"EnsureRequestObjectMissingIatFails", refusesClaims("iat", nil)},
	{"EnsureRequestObjectMissingNbfFails", refusesClaims("nbf", nil)},
	{"EnsureRequestObjectNbfIs10MinutesInFutureFails", at("nbf", 10*time.Minute)},
	{"EnsureRequestObjectNbfIs70MinutesInPastFails", at("nbf", -70*time.Minute)},
	{"EnsureRequestObjectMissingJtiFails", refusesClaims("jti", nil)},
	{"EnsureRequestObjectSignatureAlgorithmIsNoneFails", func(p cibaPlan, _ *browser) {
		parts := strings.Split(p.asks().Get("request"), ".")
		p.begin(url.Values{"request": {"eyJhbGciOiJub25lIn0." + parts[1] + "."}}).is(p.T, http.StatusBadRequest, "invalid_request")
	}},
	{"EnsureRequestObjectSignatureAlgorithmIsBadFails", func(p cibaPlan, _ *browser) {
		parts := strings.Split(p.asks().Get("request"), ".")
		p.begin(url.Values{"request": {"eyJhbGciOiJFUzM4NCJ9." + parts[1] + "." + parts[2]}}).is(p.T, http.StatusBadRequest, "invalid_request")
	}},
	{"EnsureRequestObjectSignatureAlgorithmIsRS256Fails", func(p cibaPlan, _ *browser) {
		own := p.key
		p.key = p.rsa
		form := p.asks()
		p.key = own
		p.begin(form).is(p.T, http.StatusBadRequest, "invalid_request")
	}},
	{"EnsureRequestObjectSignedByOtherClientFails", func(p cibaPlan, _ *browser) {
		own := p.key
		p.key = p.twoKey
		form := p.asks()
		p.key = own
		p.begin(form).is(p.T, http.StatusBadRequest, "invalid_request")
	}},
	{"EnsureAuthorizationRequestWithMultipleHintsFails", func(p cibaPlan, b *browser) {
		p.refuses("id_token_hint", p.flow(b).body["id_token"])
	}},
	{"EnsureWrongAuthenticationRequestIdInTokenEndpointRequest", func(p cibaPlan, _ *browser) {
		id, two := p.begun(), p
		two.fapiPlan = p.second()
		two.polls(id).is(p.T, http.StatusBadRequest, "invalid_grant")
		p.polls(id+"x").is(p.T, http.StatusBadRequest, "invalid_grant")
		p.polls(id).is(p.T, http.StatusBadRequest, "authorization_pending")
	}},
	{"EnsureDifferentClientIdAndIssuerInBackchannelAuthorizationRequest", func(p cibaPlan, _ *browser) {
		form, two := p.asks(), p.second()
		two.proof.post(p.s, "/oauth2/bc-authorize", two.assert(form)).is(p.T, http.StatusBadRequest, "invalid_request")
		if p.certified() { // as the suite has it: client two by name, with the certificate of client one
			p.proof.post(p.s, "/oauth2/bc-authorize", two.assert(form)).is(p.T, http.StatusUnauthorized, "invalid_client")
		}
	}},
	{"EnsureWrongClientIdInTokenEndpointRequest", func(p cibaPlan, _ *browser) {
		form := url.Values{"grant_type": {keystone.GrantCIBA}, "auth_req_id": {p.begun()}}
		p.app = p.two
		form.Set("client_id", p.app.ID)
		p.token(p.assert(form), p.proof).is(p.T, http.StatusUnauthorized, "invalid_client")
	}},
	{"EnsureWrongClientIdInBackchannelAuthorizationRequest", func(p cibaPlan, _ *browser) {
		p.app = p.two
		form := p.asks()
		form.Set("client_id", p.app.ID)
		p.begin(form).is(p.T, http.StatusUnauthorized, "invalid_client")
	}},
	{"EnsureWithoutClientAssertionInTokenEndpointFails", func(p cibaPlan, _ *browser) {
		p.refusesUnproved(tokenPath, url.Values{"grant_type": {keystone.GrantCIBA}, "auth_req_id": {p.begun()}})
	}},
	{"EnsureWithoutClientAssertionInBackchannelAuthorizationRequestFails", func(p cibaPlan, _ *browser) {
		p.refusesUnproved("/oauth2/bc-authorize", p.asks())
	}},
	{"EnsureClientAssertionSignatureAlgorithmInBackchannelAuthorizationRequestIsRS256Fails", func(p cibaPlan, _ *browser) {
		p.proof.post(p.s, "/oauth2/bc-authorize", withAssertion(p.rsa.sign(p.T, "", assertionClaims(p.s, p.app.ID)), p.asks())).is(p.T, http.StatusUnauthorized, "invalid_client")
	}},
	{"EnsureClientAssertionSignatureAlgorithmInTokenEndpointRequestIsRS256Fails", func(p cibaPlan, _ *browser) {
		form := withAssertion(p.rsa.sign(p.T, "", assertionClaims(p.s, p.app.ID)), url.Values{"grant_type": {keystone.GrantCIBA}, "auth_req_id": {p.begun()}})
		p.token(form, p.proof).is(p.T, http.StatusUnauthorized, "invalid_client")
	}},
	{"EnsureClientAssertionWithIssAudToTokenEndpointSucceeds", func(p cibaPlan, b *browser) {
		id := p.begun()
		b.look(p.user)
		b.says("allow")
		p.polls(id, "aud", p.s.Issuer).is(p.T, http.StatusOK, "")
	}},
	{"EnsureInvalidClientAssertionsInBackchannelAuthorizationRequestFail", func(p cibaPlan, _ *browser) {
		p.refusesBadAssertions("/oauth2/bc-authorize", p.asks())
	}},
	{"PingNotificationEndpointReturnsABody", func(p cibaPlan, b *browser) { p.notified(b, http.StatusOK, 1) }},
	{"PingNotificationEndpointReturns401", func(p cibaPlan, b *browser) { p.notified(b, http.StatusUnauthorized, 1) }},
	{"PingNotificationEndpointReturns403", func(p cibaPlan, b *browser) { p.notified(b, http.StatusForbidden, 1) }},
	{"PingNotificationEndpointReturns401AndRequireServerDoesNotRetry", func(p cibaPlan, b *browser) { p.notified(b, http.StatusUnauthorized, 1) }},
	{"PingNotificationEndpointReturnsRedirectRequest", func(p cibaPlan, b *browser) { p.notified(b, http.StatusFound, 1) }},
	{"EnsureBackchannelAuthorizationRequestWithoutRequestFails", func(p cibaPlan, _ *browser) {
		p.begin(url.Values{"scope": {"openid"}, "login_hint": {p.user.Username}}).is(p.T, http.StatusBadRequest, "invalid_request")
	}},
	{"RefreshToken", func(p cibaPlan, b *browser) {
		tokens := p.flow(b, "scope", "openid offline_access")
		refresh, _ := tokens.body["refresh_token"].(string)
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
		p.token(p.assert(form), p.proof).is(p.T, http.StatusOK, "")
		two := p.second()
		two.token(two.assert(form), two.proof).is(p.T, http.StatusBadRequest, "invalid_grant")
	}},
	{"EnsureMTLSHolderOfKeyRequired", func(p cibaPlan, b *browser) {
		id := p.begun()
		b.look(p.user)
		b.says("allow")
		p.refusesUnbound(url.Values{"grant_type": {keystone.GrantCIBA}, "auth_req_id": {id}})
		p.polls(id).is(p.T, http.StatusOK, "") // the refusal left the request as it was
	}},
}

package keystone_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

type nonceKey struct{}

// nonceOf is the nonce of the sign-in that a program completes; ID tokens of refreshes
// have none (OpenID Connect Core section 12.2).
func nonceOf(ctx context.Context) string {
	nonce, _ := ctx.Value(nonceKey{}).(string)
	return nonce
}

// TestInteropZitadel: the certified relying party of zitadel/oidc, by discovery
// alone: code with PKCE, userinfo, refresh, revocation, logout, device, service.
func TestInteropZitadel(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithTLS())
	jane := s.CreateUser("jane")
	const back = "https://app.example/bye"
	all := []string{"openid", "profile", "email", "offline_access"}
	s.CreateScope("orders:read")
	app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, PostLogoutURIs: []string{back}, Scopes: all,
		Grants: []string{keystone.GrantAuthorizationCode, keystone.GrantRefreshToken}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	party := func(c keystonetest.Client, scopes []string) rp.RelyingParty {
		t.Helper()
		p, err := rp.NewRelyingPartyOIDC(ctx, s.Issuer, c.ID, c.Secret, callback, scopes, rp.WithHTTPClient(s.Client()), rp.WithSigningAlgsFromDiscovery(),
			rp.WithVerifierOpts(rp.WithNonce(nonceOf), rp.WithIssuedAtOffset(time.Minute)))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}

	orders := party(app, all)
	b := newBrowser(t, s)
	b.open(rp.AuthURL("state-1", orders, rp.WithCodeChallenge(challenge()), rp.AuthURLOpt(rp.WithURLParam("nonce", "nonce-1"))))
	b.signIn(jane)
	b.submit(map[string]string{"decision": "allow"})
	tokens, err := rp.CodeExchange[*oidc.IDTokenClaims](context.WithValue(ctx, nonceKey{}, "nonce-1"), b.answer().Get("code"), orders, rp.WithCodeVerifier(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if c := tokens.IDTokenClaims; c.Subject != jane.ID || c.Nonce != "nonce-1" || c.AccessTokenHash == "" {
		t.Errorf("%+v", c)
	}
	info, err := rp.Userinfo[*oidc.UserInfo](ctx, tokens.AccessToken, tokens.TokenType, jane.ID, orders)
	if err != nil || info.Email != jane.Email {
		t.Fatalf("%+v %v", info, err)
	}
	fresh, err := rp.RefreshTokens[*oidc.IDTokenClaims](ctx, orders, tokens.RefreshToken, "", "")
	if err != nil || fresh.RefreshToken == tokens.RefreshToken || fresh.AccessToken == tokens.AccessToken {
		t.Fatalf("%+v %v", fresh, err)
	}
	if c := fresh.IDTokenClaims; c.Subject != jane.ID || c.Nonce != "" || c.AuthTime != tokens.IDTokenClaims.AuthTime {
		t.Errorf("%+v", c)
	}
	if err := rp.RevokeToken(ctx, orders, fresh.RefreshToken, "refresh_token"); err != nil {
		t.Fatal(err)
	}
	if _, err := rp.RefreshTokens[*oidc.IDTokenClaims](ctx, orders, fresh.RefreshToken, "", ""); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("refreshed after revocation: %v", err)
	}
	to, err := rp.EndSession(ctx, orders, tokens.IDToken, back, "state-2", "", nil)
	if err != nil || to == nil || to.String() != back+"?state=state-2" {
		t.Errorf("after logout at %v, %v", to, err)
	}

	set := s.CreateClient(keystone.Client{Name: "Television", Kind: keystone.ClientNative, Grants: []string{keystone.GrantDeviceCode}, Scopes: []string{"openid", "profile"}})
	tv := party(set, []string{"openid", "profile"})
	device, err := rp.DeviceAuthorization(ctx, []string{"openid", "profile"}, tv, nil)
	if err != nil {
		t.Fatal(err)
	}
	b = newBrowser(t, s)
	b.open(device.VerificationURIComplete)
	b.submit(nil)
	b.signIn(jane)
	b.submit(map[string]string{"decision": "allow"})
	got, err := rp.DeviceAccessToken(ctx, device.DeviceCode, time.Second, tv)
	if err != nil || got.AccessToken == "" || got.IDToken == "" {
		t.Fatalf("%+v %v", got, err)
	}
	if status := s.Call(http.MethodGet, "/oauth2/userinfo", got.AccessToken, nil, nil); status != http.StatusOK {
		t.Errorf("userinfo with the device's token: %d", status)
	}

	billing := s.CreateClient(keystone.Client{Scopes: []string{"orders:read"}})
	service, err := rp.ClientCredentials(ctx, party(billing, []string{"orders:read"}), nil)
	if err != nil || service.AccessToken == "" {
		t.Errorf("%+v %v", service, err)
	}
}

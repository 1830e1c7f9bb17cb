package keystone_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

// TestInteropGoOIDC: a relying party that we did not write signs people in with
// nothing but the issuer's address: coreos/go-oidc with x/oauth2.
func TestInteropGoOIDC(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		jane := s.CreateUser("jane")
		const back = "https://app.example/bye"
		app := s.CreateClient(keystone.Client{Name: "Orders", Kind: keystone.ClientWeb, RedirectURIs: []string{callback}, PostLogoutURIs: []string{back},
			Scopes: []string{"openid", "profile", "email", "offline_access"}})
		ctx := oidc.ClientContext(context.Background(), s.Client())
		provider, err := oidc.NewProvider(ctx, s.Issuer)
		if err != nil {
			t.Fatal(err)
		}
		for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams, oauth2.AuthStyleAutoDetect} {
			endpoint := provider.Endpoint()
			endpoint.AuthStyle = style
			rp := oauth2.Config{ClientID: app.ID, ClientSecret: app.Secret, RedirectURL: callback, Endpoint: endpoint,
				Scopes: []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess}}
			proof := oauth2.GenerateVerifier()
			b := newBrowser(t, s)
			b.open(rp.AuthCodeURL("state-1", oidc.Nonce("nonce-1"), oauth2.S256ChallengeOption(proof)))
			b.signIn(jane)
			if strings.Contains(b.page.body, "consent-allow") {
				b.submit(map[string]string{"decision": "allow"})
			}
			answer := b.answer()
			if answer.Get("state") != "state-1" {
				t.Fatalf("%v", answer)
			}
			tokens, err := rp.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(proof))
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := tokens.Extra("id_token").(string)
			id, err := provider.Verifier(&oidc.Config{ClientID: app.ID}).Verify(ctx, raw)
			if err != nil {
				t.Fatal(err)
			}
			if id.Subject != jane.ID || id.Nonce != "nonce-1" || id.VerifyAccessToken(tokens.AccessToken) != nil {
				t.Errorf("%+v", id)
			}
			info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
			if err != nil || info.Subject != jane.ID || info.Email != jane.Email {
				t.Errorf("%+v %v", info, err)
			}
			tokens.Expiry = time.Now().Add(-time.Hour)
			fresh, err := rp.TokenSource(ctx, tokens).Token()
			if err != nil || fresh.AccessToken == tokens.AccessToken || fresh.RefreshToken == tokens.RefreshToken {
				t.Fatalf("%+v %v", fresh, err)
			}
			var facts struct {
				EndSession string `json:"end_session_endpoint"`
			}
			if err := provider.Claims(&facts); err != nil {
				t.Fatal(err)
			}
			b.open(facts.EndSession + "?post_logout_redirect_uri=" + back + "&id_token_hint=" + raw)
			if b.page.url.String() != back {
				t.Errorf("after logout at %s", b.page.url)
			}
			if status := s.Call(http.MethodGet, "/oauth2/userinfo", fresh.AccessToken, nil, nil); status != http.StatusUnauthorized {
				t.Errorf("after logout userinfo answers %d", status)
			}
		}
	})
}

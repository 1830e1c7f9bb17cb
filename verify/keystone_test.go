package verify_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
	"github.com/keystone-auth/keystone/verify"
)

// The real server rotates its keys as often as it lets itself be told to; no
// verifier, however long it has not looked, refuses a token that is good.
func TestKeystoneRotates(t *testing.T) {
	s := keystonetest.Start(t)
	s.CreateScope("orders:read")
	client := s.CreateClient(keystone.Client{Scopes: []string{"orders:read"}, Audiences: []string{audience}})
	config := verify.Config{Issuer: s.Issuer, Audience: audience, Now: s.Clock.Now}
	busy, idle := must(verify.New(config)), must(verify.New(config))

	type minted struct {
		token string
		at    time.Time
	}
	var tokens []minted
	signedBy := map[string]bool{}
	for step := range 60 {
		status := s.Call(http.MethodPost, "/api/v1/admin/keys/rotate", s.Admin(), map[string]any{}, nil)
		if status != http.StatusCreated && status != http.StatusConflict {
			t.Fatalf("rotate: %d", status)
		}
		tokens = append(tokens, minted{s.ServiceTokenFor(client, audience, "orders:read"), s.Clock.Now()})
		signedBy[kidOf(t, tokens[step].token)] = true
		for _, m := range tokens {
			if s.Clock.Now().Sub(m.at) > 14*time.Minute {
				continue
			}
			if _, err := busy.Verify(t.Context(), m.token); err != nil {
				t.Fatalf("step %d, a token of %s ago: %v", step, s.Clock.Now().Sub(m.at), err)
			}
			if step%20 > 0 {
				continue
			}
			if _, err := idle.Verify(t.Context(), m.token); err != nil {
				t.Fatalf("step %d, after a long pause: %v", step, err)
			}
		}
		s.Clock.Move(time.Minute)
	}
	if len(signedBy) < 5 {
		t.Errorf("only %d keys have signed in an hour: the test shows nothing", len(signedBy))
	}

	// An ID token's type, another audience and another's key were refused above
	// (TestVerifyRefuses); here, what the real server revokes.
	last := tokens[len(tokens)-1].token
	if status := s.Call(http.MethodDelete, "/api/v1/admin/keys/"+kidOf(t, last), s.Admin(), nil, nil); status != http.StatusNoContent && status != http.StatusOK {
		t.Fatalf("revoke the key: %d", status)
	}
	s.Clock.Move(5 * time.Minute)
	if _, err := busy.Verify(t.Context(), last); !errors.Is(err, verify.ErrInvalid) || errors.Is(err, verify.ErrExpired) {
		t.Errorf("a token by a revoked key, once the copy of the key set is old: %v", err)
	}
}

// kidOf returns the kid of a token.
func kidOf(t *testing.T, token string) string {
	part, _, _ := strings.Cut(token, ".")
	var h struct{ Kid string }
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(part)), &h); err != nil || h.Kid == "" {
		t.Fatalf("no kid: %v", err)
	}
	return h.Kid
}

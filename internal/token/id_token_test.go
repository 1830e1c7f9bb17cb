package token

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

// TestSignersLeaveRoom: where all room for slow signatures is taken, an RSA
// signature waits no longer than its caller does, and a fast one
// does not wait.
func TestSignersLeaveRoom(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	slow := newSigner(keystone.RS256, "k", "JWT", key)
	i := &Issuer{slowSigners: make(chan struct{}, 1)}
	i.slowSigners <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := i.sign(ctx, slow, []byte("{}")); keystone.KindOf(err) != keystone.Unavailable {
		t.Errorf("%v", err)
	}
	if _, err := i.sign(t.Context(), newSigner(keystone.HS256, "k", "JWT", []byte("secret")), []byte("{}")); err != nil {
		t.Error(err)
	}
	<-i.slowSigners
	if _, err := i.sign(t.Context(), slow, []byte("{}")); err != nil || len(i.slowSigners) != 0 {
		t.Errorf("%v, %d places taken", err, len(i.slowSigners))
	}
}

// TestAlgOfProfile: whatever is signed for a client that registered no algorithm is
// signed with that of its profile.
func TestAlgOfProfile(t *testing.T) {
	n := alone(t, keystone.ES256)
	for profile, want := range map[string]string{"": keystone.RS256, keystone.ProfileLegacy: keystone.RS256, keystone.ProfileFAPI2: keystone.PS256, keystone.ProfileFAPI2Signing: keystone.PS256} {
		c := &keystone.Client{ID: keystone.NewID(n.clock.Now()), ClientSettings: keystone.ClientSettings{Profile: profile}}
		for name, made := range map[string]func() (string, error){
			"userinfo":      func() (string, error) { return n.issuer.Userinfo(ctx, c, map[string]any{}) },
			"introspection": func() (string, error) { return n.issuer.Introspection(ctx, c, json.RawMessage("{}")) },
			"response":      func() (string, error) { return n.issuer.AuthorizationResponse(ctx, c, map[string]any{}) },
			"logout token":  func() (string, error) { return n.issuer.LogoutToken(ctx, c, c.ID, c.ID) },
			"ID token": func() (string, error) {
				return n.issuer.mintID(ctx, &IDToken{}, &Request{Client: c, UserID: c.ID}, &Decision{Now: n.clock.Now()}, Written{}, "x")
			},
		} {
			raw, err := made()
			ok(t, err)
			header, err := b64.DecodeString(strings.Split(raw, ".")[0])
			ok(t, err)
			if !strings.Contains(string(header), `"alg":"`+want+`"`) {
				t.Errorf("%q %s: %s", profile, name, header)
			}
		}
	}
}

package token

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
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

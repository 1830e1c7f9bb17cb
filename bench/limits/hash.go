package limits

import (
	"context"
	"crypto/rand"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/keystone-auth/keystone/internal/password"
)

// BareHash returns how many argon2id hashes (19456 KiB, 2 passes, 1 lane) a
// second golang.org/x/crypto computes on the given number of workers.
func BareHash(ctx context.Context, workers int, d time.Duration) (float64, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return 0, err
	}
	return parallel(ctx, workers, d, func() error {
		argon2.IDKey([]byte("correct horse battery staple"), salt, 2, 19456, 1, 32)
		return nil
	})
}

// BareOwnHash is the same with Keystone's own code, without HTTP, store or
// queueing: it says how much of its own hash rate the sign-in keeps.
func BareOwnHash(ctx context.Context, workers int, d time.Duration) (float64, error) {
	h, err := password.New(password.Options{Slots: workers})
	if err != nil {
		return 0, err
	}
	phc, err := h.Hash(ctx, "correct horse battery staple")
	if err != nil {
		return 0, err
	}
	return parallel(ctx, workers, d, func() error {
		_, _, err := h.Verify(ctx, phc, "correct horse battery staple")
		return err
	})
}

package oauth

import (
	"cmp"
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/jose"
	"github.com/keystone-auth/keystone/internal/token"
)

var errNoEncryptionKey = keystone.Fail(keystone.Invalid, "The client asks for encrypted answers, and none of its keys fits the registered algorithm: look at its jwks or jwks_uri.").WithCode("invalid_client_metadata")

// mayEncrypt refuses where the client's ID tokens are encrypted and there is no key
// to do it with. It comes before anything is used up.
func (s *Slice) mayEncrypt(ctx context.Context, c *keystone.Client) error {
	if c.IDTokenEncAlg == "" {
		return nil
	}
	keystone.Checking(ctx, "key that ID tokens are encrypted to")
	ok, err := s.Keys.Has(ctx, c, func(k jose.Keys) bool { return k.Encrypts(c.IDTokenEncAlg) })
	if err == nil && !ok {
		err = errNoEncryptionKey
	}
	return err
}

// encryptedID encrypts the ID token of an answer to the client, where it registered
// that.
func (s *Slice) encryptedID(ctx context.Context, c *keystone.Client) func(token.Response, error) (token.Response, error) {
	return func(t token.Response, err error) (token.Response, error) {
		if err == nil {
			t.IDToken, err = s.encrypted(ctx, c, c.IDTokenEncAlg, c.IDTokenEnc, t.IDToken)
		}
		return t, err
	}
}

// encrypted encrypts a signed JWT to the client (OpenID Connect Core section 10.2:
// signed first, then encrypted). Without alg it stays as it is.
func (s *Slice) encrypted(ctx context.Context, c *keystone.Client, alg, enc, jwt string) (raw string, err error) {
	if alg == "" || jwt == "" {
		return jwt, nil
	}
	ok, err := s.Keys.Has(ctx, c, func(k jose.Keys) (ok bool) {
		raw, ok = k.Encrypt(alg, cmp.Or(enc, keystone.A256GCM), jwt)
		return ok
	})
	if err == nil && !ok {
		err = errNoEncryptionKey
	}
	return raw, err
}

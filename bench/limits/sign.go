package limits

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// signer writes a JWT with the claims of an access token (RFC 9068) by
// appending, and signs it with the standard library.
type signer struct {
	header string
	sign   func(digest []byte) ([]byte, error)
	public *ecdsa.PublicKey // of ES256
}

var b64 = base64.RawURLEncoding

func newES256() (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// The first signature prepares the key for those that follow, from many goroutines.
	if _, err := ecdsa.SignASN1(rand.Reader, key, make([]byte, sha256.Size)); err != nil {
		return nil, err
	}
	return &signer{header: header("ES256"), public: &key.PublicKey, sign: func(digest []byte) ([]byte, error) {
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			return nil, err
		}
		var out [64]byte
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out[:], nil
	}}, nil
}

func newRS256() (*signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return &signer{header: header("RS256"), sign: func(digest []byte) ([]byte, error) {
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest)
	}}, nil
}

func header(alg string) string {
	return b64.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"at+jwt","kid":"`+ClientID+`"}`)) + "."
}

func (s *signer) mint(sub string) (string, error) {
	now := time.Now().Unix()
	c := make([]byte, 0, 400)
	c = append(c, `{"iss":"http://127.0.0.1:8000","aud":["http://127.0.0.1:8000"],"sub":"`...)
	c = append(c, sub...)
	c = strconv.AppendInt(append(c, `","exp":`...), now+900, 10)
	c = strconv.AppendInt(append(c, `,"iat":`...), now, 10)
	c = append(c, `,"jti":"`...)
	c = append(c, rand.Text()...)
	c = append(c, `","client_id":"`...)
	c = append(c, sub...)
	c = append(c, `","scope":"orders:read orders:write"}`...)
	b := make([]byte, 0, 1200)
	b = b64.AppendEncode(append(b, s.header...), c)
	digest := sha256.Sum256(b)
	sig, err := s.sign(digest[:])
	if err != nil {
		return "", err
	}
	return string(b64.AppendEncode(append(b, '.'), sig)), nil
}

// verify checks an ES256 JWT of this signer and returns its sub.
func (s *signer) verify(jwt string) (string, error) {
	signed, tail, _ := cutLast(jwt)
	sig, err := b64.DecodeString(tail)
	if err != nil || len(sig) != 64 {
		return "", errors.New("limits: not a signature")
	}
	digest := sha256.Sum256([]byte(signed))
	if !ecdsa.Verify(s.public, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return "", errors.New("limits: not our signature")
	}
	_, payload, _ := cutLast(signed)
	claims, err := b64.DecodeString(payload)
	if err != nil {
		return "", err
	}
	var c struct {
		Sub string `json:"sub"`
		Exp int64  `json:"exp"`
	}
	if err := json.Unmarshal(claims, &c); err != nil || c.Exp < time.Now().Unix() {
		return "", errors.New("limits: not a living token")
	}
	return c.Sub, nil
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// BareSign returns how many JWTs a second are signed on every processor at
// once.
func BareSign(ctx context.Context, alg string, d time.Duration) (float64, error) {
	var s *signer
	var err error
	switch alg {
	case "ES256":
		s, err = newES256()
	case "RS256":
		s, err = newRS256()
	default:
		err = fmt.Errorf("limits: no bare signature for %q", alg)
	}
	if err != nil {
		return 0, err
	}
	return parallel(ctx, 0, d, func() error {
		_, err := s.mint(ClientID)
		return err
	})
}

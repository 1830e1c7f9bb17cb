package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/keystone-auth/keystone"
)

// BenchmarkMint is a service token through the whole door. The aim is 1.5 times
// BenchmarkBareES256 of the same run.
func BenchmarkMint(b *testing.B) {
	for _, alg := range every {
		b.Run(alg, func(b *testing.B) {
			n := alone(b, alg)
			c := n.service(b, nil)
			r := Request{GrantType: keystone.GrantClientCredentials, Client: c}
			by := keystone.Actor{Kind: keystone.ActorClient, ID: c.ID}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := n.issuer.Issue(ctx, by, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBareES256 is the signature alone.
func BenchmarkBareES256(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 600)
	for b.Loop() {
		digest := sha256.Sum256(payload)
		if _, _, err := ecdsa.Sign(rand.Reader, key, digest[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify is what a request to Keystone's own API costs to let in.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range every {
		n := alone(b, alg)
		raw := n.mint(b, n.service(b, nil)).AccessToken
		b.Run(alg+"/cold", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := n.verifier.check(ctx, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg+"/seen", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := n.verifier.parse(ctx, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkInspect adds what is true now, from the caches.
func BenchmarkInspect(b *testing.B) {
	n := alone(b, keystone.ES256)
	u := n.person(b, "jane", "admin")
	raw := n.mustSignIn(b, u).AccessToken
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n.verifier.Authenticate(ctx, raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefresh is a refresh through the door, on SQLite, one caller.
func BenchmarkRefresh(b *testing.B) {
	n := alone(b, keystone.ES256)
	u := n.person(b, "jane", "admin")
	r, own := n.mustSignIn(b, u), n.own(b)
	for b.Loop() {
		next, err := n.issuer.Refresh(ctx, keystone.Anonymous(), own, Refreshing{Token: r.RefreshToken})
		if err != nil {
			b.Fatal(err)
		}
		r = next
	}
}

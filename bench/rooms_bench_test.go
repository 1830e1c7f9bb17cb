package main

import (
	"context"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// Benchmarks of the rooms that stand on hot paths, without HTTP. Hashing is
// measured beside its code, in internal/password.

// eachFixture runs f on SQLite and, where TEST_POSTGRES_URL is set, PostgreSQL.
func eachFixture(b *testing.B, f func(b *testing.B, f *fixture)) {
	b.Helper()
	open := func(b *testing.B, url string) *fixture {
		fix, err := newFixture(b.Context(), b.TempDir(), url)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(fix.store.Close)
		return fix
	}
	b.Run("sqlite", func(b *testing.B) { f(b, open(b, liteURL(b.TempDir()))) })
	base := os.Getenv("TEST_POSTGRES_URL")
	if base == "" {
		return
	}
	b.Run("postgres", func(b *testing.B) {
		url, drop, err := createDatabase(b.Context(), base)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(drop)
		f(b, open(b, url))
	})
}

// doorOf is the door and the verifier with an algorithm.
func doorOf(b *testing.B, f *fixture, algorithm string) (*token.Issuer, *token.Verifier) {
	b.Helper()
	master, err := secret.ParseMasterKey(f.settings["MASTER_KEY"])
	if err != nil {
		b.Fatal(err)
	}
	ring, err := token.NewRing(b.Context(), token.RingOptions{Store: f.store, Master: master, Algorithm: algorithm, MaxAge: time.Minute, Rotate: 24 * time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	o := token.Options{Issuer: issuer, AccessTTL: time.Hour, RefreshTTL: 24 * time.Hour, Grace: 10 * time.Second, MaxSession: 48 * time.Hour}
	return token.NewIssuer(o, f.store, ring, master, nil), token.NewVerifier(f.store, ring, issuer, token.NewProofs(f.store, master, false, issuer))
}

func serviceOf(b *testing.B, f *fixture, c credentials) *keystone.Client {
	b.Helper()
	client, ok, err := f.store.ProveClient(b.Context(), c.id, c.secret)
	if err != nil || !ok {
		b.Fatal(ok, err)
	}
	return client
}

func newSQLite(b *testing.B) *fixture {
	b.Helper()
	f, err := newFixture(b.Context(), b.TempDir(), liteURL(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(f.store.Close)
	return f
}

// BenchmarkIssue is a token through the door: every check, then the signature.
// limits.BenchmarkMint is the same without the checks.
func BenchmarkIssue(b *testing.B) {
	f := newSQLite(b)
	for _, algorithm := range []string{keystone.ES256, keystone.EdDSA, keystone.RS256} {
		door, _ := doorOf(b, f, algorithm)
		b.Run(algorithm, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := door.Issue(b.Context(), operator(), token.Request{GrantType: keystone.GrantClientCredentials, Client: serviceOf(b, f, f.service), Scopes: ordinary})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAuthenticate is a bearer token at Keystone's own API.
func BenchmarkAuthenticate(b *testing.B) {
	f := newSQLite(b)
	door, verifier := doorOf(b, f, keystone.ES256)
	issue := func() string {
		t, err := door.Issue(b.Context(), operator(), token.Request{GrantType: keystone.GrantClientCredentials, Client: serviceOf(b, f, f.service)})
		if err != nil {
			b.Fatal(err)
		}
		return t.AccessToken
	}
	b.Run("seen", func(b *testing.B) {
		raw := issue()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := verifier.Authenticate(b.Context(), raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		list := make([]string, b.N)
		for i := range list {
			list[i] = issue()
		}
		b.ResetTimer()
		for _, raw := range list {
			if _, err := verifier.Authenticate(b.Context(), raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStore is the hot statements, 64 callers at once where they are
// grouped.
func BenchmarkStore(b *testing.B) {
	eachFixture(b, func(b *testing.B, f *fixture) {
		door, _ := doorOf(b, f, keystone.ES256)
		s := f.store
		b.Run("ProveClient", func(b *testing.B) {
			for b.Loop() {
				serviceOf(b, f, f.service)
			}
		})
		b.Run("LoginByName", func(b *testing.B) {
			for b.Loop() {
				if _, err := s.LoginByName(b.Context(), f.people[0].Username); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("SaveAccessToken-64", func(b *testing.B) {
			grouped(b, func(context.Context, int) error {
				now := time.Now()
				return s.SaveAccessToken(b.Context(), operator(), secret.Hash(secret.New(secret.AccessToken)), store.AccessToken{
					JTI: keystone.NewID(now), ClientID: f.opaque.id, Scopes: ordinary, Audiences: []string{issuer}, IssuedAt: now, ExpiresAt: now.Add(time.Hour)})
			})
		})
		b.Run("Rotate-64", func(b *testing.B) {
			users := make([]string, 64)
			for i := range users {
				users[i] = f.people[i].ID
			}
			client, err := s.CachedClient(b.Context(), keystone.FirstPartyClientID)
			if err != nil {
				b.Fatal(err)
			}
			families, err := f.addFamilies(b.Context(), door, client, users)
			if err != nil {
				b.Fatal(err)
			}
			generations := make([]uint32, len(families))
			grouped(b, func(ctx context.Context, caller int) error {
				next, err := s.Rotate(ctx, operator(), families[caller], generations[caller]+1, store.Rotation{TTL: time.Hour, Grace: time.Second, Rotate: true})
				generations[caller] = next - 1
				return err
			})
		})
		b.Run("Users", func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Users(b.Context(), "", keystone.Page{Limit: 50}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Users-search", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := s.Users(b.Context(), "signin"+strconv.Itoa(i%10), keystone.Page{Limit: 50}); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// grouped calls work from 64 callers at once, each with its number.
func grouped(b *testing.B, work func(ctx context.Context, caller int) error) {
	b.Helper()
	const callers = 64
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, callers)
	b.ResetTimer()
	for caller := range callers {
		go func() {
			for left.Add(-1) >= 0 {
				if err := work(b.Context(), caller); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

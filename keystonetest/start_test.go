package keystonetest_test

import (
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/keystonetest"
)

// each runs f on SQLite, and on PostgreSQL with Redis.
func each(t *testing.T, f func(t *testing.T, opts ...keystonetest.Option)) {
	t.Run("sqlite", func(t *testing.T) { f(t) })
	t.Run("postgres", func(t *testing.T) {
		opts := []keystonetest.Option{keystonetest.WithPostgres(storetest.PostgresURL(t))}
		if redis := os.Getenv("TEST_REDIS_URL"); redis != "" {
			opts = append(opts, keystonetest.WithRedis(redis))
		} else if os.Getenv("CI") == "true" {
			t.Fatal("TEST_REDIS_URL is not set; run the tests with scripts/test.sh")
		}
		f(t, opts...)
	})
}

func TestPeopleAndPrograms(t *testing.T) {
	each(t, func(t *testing.T, opts ...keystonetest.Option) {
		s := keystonetest.Start(t, opts...)
		s.CreateScope("orders:read", "orders:write")
		s.CreateRole("clerk", "orders:read")
		jane := s.CreateUser("jane", "clerk", keystone.RoleUser)
		if tokens := s.SignIn(jane); tokens.Scope != "orders:read" || tokens.RefreshToken == "" || tokens.TokenType != "Bearer" {
			t.Errorf("tokens of jane: %+v", tokens)
		}
		billing := s.CreateClient(keystone.Client{Scopes: []string{"orders:read", "orders:write"}})
		if s.ServiceToken(billing, "orders:write") == "" {
			t.Error("no service token")
		}
		if s.Admin() == "" || s.Admin() != s.Admin() {
			t.Error("an administrator's token is not kept")
		}
		var set struct{ Keys []map[string]any }
		if status := s.Call(http.MethodGet, "/oauth2/jwks", "", nil, &set); status != http.StatusOK || len(set.Keys) == 0 {
			t.Errorf("jwks: %d %v", status, set)
		}
	})
}

// active reports whether a token holds, by logging out with it.
func active(t *testing.T, s *keystonetest.Server, token string) bool {
	t.Helper()
	return s.Call(http.MethodPost, "/api/v1/auth/logout", token, nil, nil) == http.StatusNoContent
}

func TestClock(t *testing.T) {
	s := keystonetest.Start(t)
	jane := s.CreateUser("jane")
	tokens := s.SignIn(jane)
	s.Clock.Move(time.Duration(tokens.ExpiresIn)*time.Second - time.Minute)
	old := s.SignIn(jane)
	if !active(t, s, tokens.AccessToken) {
		t.Error("expired a minute early")
	}
	s.Clock.Move(time.Duration(old.ExpiresIn)*time.Second + time.Minute)
	if active(t, s, old.AccessToken) {
		t.Error("holds a minute after its end")
	}
	if admin := s.Admin(); admin == "" {
		t.Error("no administrator")
	} else {
		s.Clock.Move(24 * time.Hour)
		if s.Admin() == admin {
			t.Error("an expired token of the administrator is handed out")
		}
	}
}

func TestNodes(t *testing.T) {
	each(t, func(t *testing.T, opts ...keystonetest.Option) {
		a := keystonetest.Start(t, opts...)
		b := a.AddNode()
		if a.URL == b.URL || a.Issuer != b.Issuer {
			t.Fatalf("nodes: %s %s, issuers: %s %s", a.URL, b.URL, a.Issuer, b.Issuer)
		}
		tokens := a.SignIn(b.CreateUser("jane"))
		if !active(t, b, tokens.AccessToken) {
			t.Error("a's token does not hold at b")
		}
	})
}

func TestSettings(t *testing.T) {
	t.Setenv("KEYSTONE_NO_SUCH_SETTING", "1") // the environment of the test is not the server's
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_LOGIN": "1/hour"}))
	request := map[string]any{"username": "nobody", "password": "nothing to see"}
	s.Call(http.MethodPost, "/api/v1/auth/login", "", request, nil)
	if status := s.Call(http.MethodPost, "/api/v1/auth/login", "", request, nil); status != http.StatusTooManyRequests {
		t.Errorf("second sign-in in an hour: %d", status)
	}
}

// TestHashingIsCheap: passwords cost next to nothing here, unless a test wants
// what they cost elsewhere. To start and sign the first user in takes less then.
func TestHashingIsCheap(t *testing.T) {
	first := func(options ...keystonetest.Option) time.Duration {
		best := time.Hour
		for range 3 {
			began := processorTime(t)
			s := keystonetest.Start(t, options...)
			s.SignIn(s.CreateUser("jane"))
			best = min(best, processorTime(t)-began)
		}
		return best
	}
	cheap, dear := first(), first(keystonetest.WithRealHashing())
	t.Logf("start and first sign-in: %s of processor time, %s with real hashing", cheap, dear)
	if cheap >= dear {
		t.Errorf("cheap hashing takes %s, real hashing %s", cheap, dear)
	}
}

// TestBootsFast: in under 100 ms, or nobody boots the real server in a test. It
// is the time of the processor that is held, because what else runs on the
// machine is not ours; BenchmarkStart has the time on the wall.
func TestBootsFast(t *testing.T) {
	best := time.Hour
	for range 5 {
		began := processorTime(t)
		keystonetest.Start(t)
		best = min(best, processorTime(t)-began)
	}
	t.Logf("boots with %s of processor time", best)
	if best > 100*time.Millisecond && !race {
		t.Errorf("boots with %s of processor time at best", best)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		keystonetest.Start(b)
	}
}

func BenchmarkSignIn(b *testing.B) {
	s := keystonetest.Start(b)
	jane := s.CreateUser("jane")
	for b.Loop() {
		s.SignIn(jane)
	}
}

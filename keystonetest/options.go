package keystonetest

import (
	"maps"

	"github.com/keystone-auth/keystone/internal/password"
)

// Option changes how a server is started.
type Option func(*Server)

// WithPostgres puts the database into PostgreSQL. The database has to exist; it
// is migrated, and what is in it stays there.
func WithPostgres(url string) Option { return func(s *Server) { s.DatabaseURL = url } }

// WithMasterKey opens a database that exists already with the key (base64) that
// it was made with.
func WithMasterKey(key string) Option { return func(s *Server) { s.MasterKey = key } }

// WithRedis counts rate limits in Redis or Valkey.
func WithRedis(url string) Option { return WithSettings(map[string]string{"REDIS_URL": url}) }

// WithRealHashing gives password hashes the costs that they have outside of
// tests. Without it they cost next to nothing, so that tests are fast.
func WithRealHashing() Option { return func(s *Server) { s.hashing = password.DefaultParams() } }

// WithSettings sets settings by their names, as the environment would:
// {"RATE_LIMIT_LOGIN": "5/minute"}.
func WithSettings(settings map[string]string) Option {
	return func(s *Server) { maps.Copy(s.settings, settings) }
}

package keystonetest

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/server"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// Server is a Keystone that runs until its test ends. Its methods fail the test
// where something does not work; call them from the goroutine of the test.
type Server struct {
	URL    string // where this node listens, http://127.0.0.1:PORT (https WithTLS)
	Issuer string // iss of every token; the URL of the first node
	Clock  *Clock // what the server takes for the time; nodes share it

	// DatabaseURL and MasterKey (base64) open the same database from elsewhere,
	// with the keystone command for example.
	DatabaseURL string
	MasterKey   string

	t        testing.TB
	settings map[string]string
	hashing  password.Params
	server   *server.Server
	client   *http.Client
	trust    *tls.Config // nil: what the machine trusts
	admin    *administrator
}

// Start boots a server. It is stopped when the test ends.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	dir := t.TempDir()
	s := &Server{
		Clock: &Clock{}, DatabaseURL: storetest.SQLitePath(t), MasterKey: secret.NewMasterKey().Encode(),
		t: t, admin: &administrator{}, hashing: password.Params{Memory: 64, Time: 1, Lanes: 1},
		settings: map[string]string{
			"DATA_DIR": dir, "SHUTDOWN_TIMEOUT": "1s", "LOG_LEVEL": "warn", "LOG_FORMAT": "text",
			"RATE_LIMIT_LOGIN": "off", "RATE_LIMIT_GUESSES": "off", "RATE_LIMIT_REGISTER": "off", "RATE_LIMIT_TOKEN": "off", "RATE_LIMIT_CLIENT_REGISTRATION": "off", "RATE_LIMIT_API": "off", "RATE_LIMIT_PAGE": "off",
		},
	}
	s.boot(opts)
	return s
}

// AddNode boots one more server on the same database, with the same clock and
// under the same issuer. Settings are those of the first node, then the options.
func (s *Server) AddNode(opts ...Option) *Server {
	s.t.Helper()
	n := &Server{
		Issuer: s.Issuer, Clock: s.Clock, DatabaseURL: s.DatabaseURL, MasterKey: s.MasterKey,
		t: s.t, admin: s.admin, hashing: s.hashing, settings: map[string]string{}, trust: s.trust,
	}
	for name, value := range s.settings {
		n.settings[name] = value
	}
	n.boot(opts)
	return n
}

// boot listens, builds the server and serves until the test ends.
func (s *Server) boot(opts []Option) {
	s.t.Helper()
	for _, o := range opts {
		o(s)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(s.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal("keystonetest:", err)
	}
	s.URL = s.scheme() + "://" + listener.Addr().String()
	if s.Issuer == "" {
		s.Issuer = s.URL
	}
	cfg, err := s.config(listener)
	if err == nil {
		log := server.NewLogger(s.t.Output(), slog.LevelWarn, cfg.LogFormat)
		s.server, err = server.New(s.t.Context(), cfg, server.Options{Log: log, Now: s.Clock.Now, Version: "test", Hashing: s.hashing})
	}
	if err != nil {
		_ = listener.Close()
		s.t.Fatal("keystonetest:", err)
	}
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, TLSClientConfig: s.trust}, Timeout: 30 * time.Second}
	s.serve(listener)
}

// config loads the settings from the map alone: the environment of the test and
// a .env beside it change nothing.
func (s *Server) config(l net.Listener) (*config.Config, error) {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, err
	}
	environ := []string{"PORT=" + port, "ISSUER=" + s.Issuer, "DATABASE_URL=" + s.DatabaseURL, "MASTER_KEY=" + s.MasterKey}
	for name, value := range s.settings {
		environ = append(environ, name+"="+value)
	}
	return config.Load(config.Options{Environ: environ, Dir: s.t.TempDir()})
}

// serve runs the server until the test ends, and waits for its end.
func (s *Server) serve(l net.Listener) {
	ctx, stop := context.WithCancel(context.Background()) // s.t.Context ends before cleanups, which may still ask the server
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := s.server.ServeOn(ctx, l, nil); err != nil {
			s.t.Error("keystonetest:", err)
		}
	})
	s.t.Cleanup(func() {
		s.client.CloseIdleConnections()
		stop()
		ended.Wait()
		s.server.Close()
	})
}

// Sweep removes what is past its keeping at the server's clock, which the server
// does by itself every minute, and returns how many rows of which table.
func (s *Server) Sweep() map[string]int64 {
	s.t.Helper()
	removed, err := s.server.Sweep(s.t.Context())
	if err != nil {
		s.t.Fatal("keystonetest: sweep:", err)
	}
	return removed
}

// Client returns an HTTP client for this server. It follows no environment and
// its connections end with the test.
func (s *Server) Client() *http.Client { return s.client }

package server

import (
	"context"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
)

// health says whether the process lives and whether it should get requests.
type health struct {
	ping       func(context.Context) error
	migrations func(context.Context) (pending int, err error)
	now        func() time.Time

	migrated atomic.Bool
	draining atomic.Bool
	probers  probers

	mu       sync.Mutex
	at       time.Time // of the last look at the database
	database bool      // it answered
	last     error
}

const (
	pingTimeout = time.Second
	pingEvery   = 500 * time.Millisecond // /ready is open to everybody: it must not be a way to load the database
)

var (
	errDraining = keystone.Fail(keystone.Unavailable, "This node is shutting down. Send the request to another.")
	errMigrate  = keystone.Fail(keystone.Unavailable, "The database is not migrated to this program's schema. Run `keystone migrate`.")
	errDatabase = keystone.Fail(keystone.Unavailable, "The database does not answer.")
	errReadOnly = keystone.Fail(keystone.Unavailable, "The database takes no writes.")
)

// ready returns why the node should not get requests, or nil.
func (h *health) ready(ctx context.Context) error {
	draining := h.draining.Load()
	h.probers.asked(httpio.Actor(ctx).Source, time.Now(), draining)
	if draining { // which needs no look at the database
		return errDraining
	}
	_, err := h.state(ctx)
	return err
}

// state is ready for whoever sends no requests by it, and whether the database
// answers.
func (h *health) state(ctx context.Context) (database bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at.IsZero() || time.Since(h.at) >= pingEvery {
		h.database, h.last = h.look(ctx)
		h.at = time.Now()
	}
	if h.draining.Load() {
		return h.database, errDraining
	}
	return h.database, h.last
}

func (h *health) look(ctx context.Context) (database bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	if err := h.ping(ctx); err != nil {
		if store.NoWrites(err) {
			return false, errReadOnly.Because(err)
		}
		return false, errDatabase.Because(err)
	}
	if h.migrated.Load() {
		return true, nil
	}
	pending, err := h.migrations(ctx)
	switch {
	case err != nil:
		return false, errDatabase.Because(err)
	case pending > 0:
		return true, errMigrate
	}
	h.migrated.Store(true)
	return true, nil
}

type healthAnswer struct {
	Status    string `json:"status" enum:"healthy,ready"`
	Timestamp int64  `json:"timestamp" doc:"Unix seconds."`
}

func (h *health) write(w http.ResponseWriter, status string) {
	b := append([]byte(`{"status":"`), status...)
	b = append(b, `","timestamp":`...)
	b = strconv.AppendInt(b, h.now().Unix(), 10)
	httpio.WriteRaw(w, http.StatusOK, "", append(b, '}', '\n'))
}

// serveHealth says that the process answers. It asks nobody else.
func (h *health) serveHealth(w http.ResponseWriter, _ *http.Request) error {
	h.write(w, "healthy")
	return nil
}

// serveReady says whether requests should be sent here.
func (h *health) serveReady(w http.ResponseWriter, r *http.Request) error {
	if err := h.ready(r.Context()); err != nil {
		return err
	}
	h.write(w, "ready")
	return nil
}

// routes of both listeners. They are public by listener and path, never by a
// header of the request.
func (s *Server) healthRoutes(withMetrics bool) []httpio.Route {
	list := []httpio.Route{
		httpio.Plain(http.MethodGet, "/health", httpio.Public, httpio.LimitNone, "Whether the process answers", s.health.serveHealth,
			httpio.DocAnswer[healthAnswer](http.StatusOK, "It does.")),
		httpio.Plain(http.MethodGet, "/ready", httpio.Public, httpio.LimitNone, "Whether requests should be sent to this node", s.health.serveReady,
			httpio.DocAnswer[healthAnswer](http.StatusOK, "They should.")),
	}
	if withMetrics {
		scrape := s.metrics.handler()
		list = append(list, httpio.Plain(http.MethodGet, "/metrics", httpio.Public, httpio.LimitNone, "Metrics for Prometheus",
			func(w http.ResponseWriter, r *http.Request) error {
				scrape.ServeHTTP(w, r)
				return nil
			}, httpio.DocContent(http.StatusOK, "text/plain", "The metrics.")))
	}
	return list
}

// management is the handler of the second listener: metrics, health, and
// profiles when DEBUG. It is reachable by whoever reaches MANAGEMENT_ADDR and by
// nobody else.
func (s *Server) management() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.healthRoutes(true) {
		mux.Handle(rt.Pattern(), httpio.NewAPI("", "").Handler(rt))
	}
	if s.config.Debug {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	mux.HandleFunc("/", httpio.NotFound)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &httpio.Exchange{Actor: keystone.Actor{Kind: keystone.ActorAnonymous, RequestID: requestID(r, time.Now()), Source: s.sources.of(r)}}
		s.headers.set(w.Header(), r.URL.Path)
		w.Header()["X-Request-Id"] = []string{x.Actor.RequestID}
		mux.ServeHTTP(w, r.WithContext(httpio.WithExchange(r.Context(), x)))
	})
}

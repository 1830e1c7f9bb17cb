package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Bounds of a connection. A body or an answer that moves slower than this is
// cut (slowloris); headers beyond the cap, long addresses included, are refused
// by net/http before they are kept.
type bounds struct {
	readHeader, read, write, idle time.Duration
}

var usualBounds = bounds{readHeader: 5 * time.Second, read: 20 * time.Second, write: 30 * time.Second, idle: 2 * time.Minute}

const (
	maxHeaderBytes = 64 << 10
	maxStreams     = 128 // of one HTTP/2 connection
)

// How a node leaves. A load balancer that asks /ready is given time to see the
// answer; where nobody asks, nobody is waited for.
const (
	longestDrain = 8 * time.Second        // three times two seconds, and some
	settleTime   = 250 * time.Millisecond // for what a balancer sent just before it knew
)

// Serve listens and serves until ctx ends, then leaves in order: not ready,
// drain, finish what is in flight, stop the jobs, write what they hold; all of
// it inside SHUTDOWN_TIMEOUT. It returns nil after an orderly end.
func (s *Server) Serve(ctx context.Context) error {
	public, err := listen(ctx, s.config.Addr())
	if err != nil {
		return err
	}
	management, err := listen(ctx, s.config.ManagementAddr)
	if err != nil {
		_ = public.Close()
		return err
	}
	return s.ServeOn(ctx, public, management)
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("server: %s cannot be listened on: %w; choose another HOST, PORT or MANAGEMENT_ADDR, or stop what uses it", addr, err)
	}
	return l, nil
}

// ServeOn is Serve on listeners that are open already. It closes them. management
// may be nil.
func (s *Server) ServeOn(ctx context.Context, public, management net.Listener) error {
	main := s.httpServer(s)
	failed := make(chan error, 2)
	var serving sync.WaitGroup
	run := func(srv *http.Server, l net.Listener, secure bool) {
		serving.Go(func() {
			var err error
			if secure {
				srv.TLSConfig = s.tlsConfig()
				err = srv.ServeTLS(l, "", "")
			} else {
				err = srv.Serve(l)
			}
			if !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("server: listener %s: %w", l.Addr(), err)
			}
		})
	}
	run(main, lateListener{public}, s.certificate != nil)
	servers := []*http.Server{main}
	if management != nil {
		second := s.httpServer(s.management())
		second.WriteTimeout = 2 * time.Minute // a profile takes as long as it is asked for
		run(second, management, false)
		servers = append(servers, second)
	}

	jobsCtx, stopJobs := context.WithCancel(context.WithoutCancel(ctx))
	defer stopJobs()
	work := &jobs{store: s.parts.Store, holder: s.node, log: s.log, metrics: s.metrics}
	work.start(jobsCtx, s.jobList())
	if s.pace != nil {
		work.group.Go(func() { s.pace.run(jobsCtx, s.tidy) })
		work.group.Go(func() { work.once(jobsCtx, firstKeys(s.parts.Ring)) })
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	began := time.Now()
	end, cancel := context.WithDeadline(context.WithoutCancel(ctx), began.Add(s.config.ShutdownTimeout))
	defer cancel()
	s.drain(end)
	err = errors.Join(err, s.shutdown(end, servers))
	serving.Wait()
	stopJobs()
	work.wait()
	err = errors.Join(err, s.flush(end))
	s.log.LogAttrs(end, slog.LevelInfo, "stopped", slog.Int64("took_ms", time.Since(began).Milliseconds()))
	return err
}

// drain answers "not ready" and goes on serving until whoever asks has seen it. Each
// answer is the last on its connection (ServeHTTP), so that callers come back on a new one,
// to another node. Connections that wait stay open meanwhile: a balancer may be sending on
// one at this moment, and cannot repeat a POST of which it does not know what became.
func (s *Server) drain(ctx context.Context) {
	began := time.Now()
	s.health.probers.drain(began)
	s.health.draining.Store(true)
	if !s.health.probers.waiting() {
		return
	}
	s.log.InfoContext(ctx, "draining")
	ctx, cancel := context.WithTimeout(ctx, min(longestDrain, s.config.ShutdownTimeout/2))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for told := began; time.Since(told) < settleTime; {
		if s.health.probers.waiting() {
			told = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// flushTime is kept of SHUTDOWN_TIMEOUT for what comes after the last request.
const flushTime = time.Second

// shutdown lets requests in flight finish. Those that do not in time are cut.
func (s *Server) shutdown(ctx context.Context, servers []*http.Server) error {
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	ctx, cancel := context.WithTimeout(ctx, max(left-flushTime, left/2))
	defer cancel()
	var cut bool
	for _, srv := range servers {
		if err := srv.Shutdown(ctx); err != nil {
			cut = true
			_ = srv.Close() // the connections are to be cut
		}
	}
	if cut {
		s.log.WarnContext(ctx, "requests were cut at the end of SHUTDOWN_TIMEOUT")
	}
	return nil
}

// tidy gives back the memory of what caches hold beyond its time.
func (s *Server) tidy() {
	s.parts.Store.Tidy()
	s.parts.Verifier.Tidy()
}

// flush writes what jobs hold in memory and sends the last traces.
func (s *Server) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	if err := s.parts.Issuer.FlushUsage(ctx); err != nil {
		return err
	}
	if err := s.flushRefusals(ctx); err != nil {
		return err
	}
	if err := s.tracer.close(ctx); err != nil {
		s.log.WarnContext(ctx, "last traces not sent", "error", err)
	}
	return nil
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true) // over TLS only
	return &http.Server{
		Handler:           h,
		ConnContext:       withPeer,
		Protocols:         protocols,
		ReadHeaderTimeout: s.bounds.readHeader,
		ReadTimeout:       s.bounds.read,
		WriteTimeout:      s.bounds.write,
		IdleTimeout:       s.bounds.idle,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: s.bounds.write},
		// Broken handshakes and connections: anybody can cause them.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func https(issuer string) bool { return strings.HasPrefix(issuer, "https://") }

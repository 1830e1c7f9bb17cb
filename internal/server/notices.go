package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keystone-auth/keystone/internal/oauth"
	"github.com/keystone-auth/keystone/internal/store"
)

// How notices to clients are delivered (I12): some at a time, so that a receiver that
// hangs holds its own notices only; again after a failure, later each time; not
// for ever. 10 attempts are about eleven hours.
const (
	noticeBatch    = 64
	noticeClients  = 8           // that are posted to at the same time
	noticeClaim    = time.Minute // a node that dies keeps its notices from the others for so long
	noticeTime     = 45 * time.Second
	noticeAttempts = 10
	noticeFirst    = 5 * time.Second // pause after the first failure; each further one is three times as long
	noticeLongest  = 6 * time.Hour
)

// noticeResults are the results of the counters of notices.
var noticeResults = []string{"delivered", "failed", "given_up"}

// notices are the messages of one kind, and who delivers them.
type notices struct {
	kind    string
	deliver func(ctx context.Context, payload []byte) error
	count   *prometheus.CounterVec
}

func (s *Server) logoutNotices() notices {
	n := oauth.LogoutNotices{Store: s.parts.Store, Issuer: s.parts.Issuer, Post: s.parts.Fetch.Post}
	return notices{store.MessageLogout, n.Deliver, s.metrics.notices}
}

func (s *Server) pings() notices {
	n := oauth.Pings{Store: s.parts.Store, Post: s.parts.Fetch.PostBearer}
	return notices{store.MessagePing, n.Deliver, s.metrics.pings}
}

// deliverNotices makes a job: it tells clients what there is to tell them, until
// nothing is due. It runs on every node; each takes what no other holds.
func (s *Server) deliverNotices(n notices) func(context.Context) error {
	return func(ctx context.Context) error {
		for ctx.Err() == nil {
			batch, err := s.parts.Store.Claim(ctx, n.kind, s.node, noticeBatch, noticeClaim)
			if err != nil || len(batch) == 0 {
				return err
			}
			if err := s.deliverBatch(ctx, n, batch); err != nil || len(batch) < noticeBatch {
				return err
			}
		}
		return nil
	}
}

// deliverBatch delivers to several clients at once and to each in turn.
func (s *Server) deliverBatch(ctx context.Context, n notices, batch []store.Message) error {
	ctx, cancel := context.WithTimeout(ctx, noticeTime) // well within the claim
	defer cancel()
	byClient := map[string][]store.Message{}
	for _, m := range batch {
		id := oauth.ClientOf(m.Payload)
		byClient[id] = append(byClient[id], m)
	}
	var group sync.WaitGroup
	slots, failed := make(chan struct{}, noticeClients), make(chan error, len(byClient))
	for _, list := range byClient {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if err := s.deliverTo(ctx, n, list); err != nil {
				failed <- err
			}
		})
	}
	group.Wait()
	close(failed)
	return <-failed // the first, or nil
}

// deliverTo delivers the notices of one client. After a failure the others wait
// too: what does not answer one does not answer the next.
func (s *Server) deliverTo(ctx context.Context, n notices, list []store.Message) error {
	var why error
	for _, m := range list {
		if why == nil || errors.Is(why, oauth.ErrUnwanted) { // which says nothing of the next
			why = n.deliver(ctx, m.Payload)
		}
		if err := s.settle(context.WithoutCancel(ctx), n, m, why); err != nil {
			return err
		}
	}
	return nil
}

// settle writes down what became of a notice.
func (s *Server) settle(ctx context.Context, n notices, m store.Message, why error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if why == nil {
		n.count.WithLabelValues("delivered").Inc()
		return s.parts.Store.Delivered(ctx, m.ID, s.node)
	}
	if errors.Is(why, context.Canceled) { // we are told to stop: at once, elsewhere
		return s.parts.Store.Undelivered(ctx, m.ID, s.node, "interrupted", s.parts.Store.Now(), false)
	}
	dead := m.Attempts >= noticeAttempts || errors.Is(why, oauth.ErrUnwanted)
	result, level := "failed", slog.LevelInfo
	if dead {
		result, level = "given_up", slog.LevelWarn
	}
	n.count.WithLabelValues(result).Inc()
	s.log.LogAttrs(ctx, level, "notice not delivered", slog.String("kind", n.kind), slog.String("client_id", oauth.ClientOf(m.Payload)), slog.String("message", m.ID),
		slog.Int("attempt", m.Attempts), slog.Bool("given_up", dead), slog.String("error", why.Error()))
	return s.parts.Store.Undelivered(ctx, m.ID, s.node, shortened(why.Error()), s.parts.Store.Now().Add(noticePause(m.Attempts)), dead)
}

// noticePause is how long a notice waits after so many failures.
func noticePause(attempts int) time.Duration {
	pause := noticeFirst
	for range attempts - 1 {
		pause = min(3*pause, noticeLongest)
	}
	return pause
}

// shortened bounds a text that is kept.
func shortened(text string) string { return text[:min(len(text), 300)] }

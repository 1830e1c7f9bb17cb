package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keystone-auth/keystone/internal/oauth"
	"github.com/keystone-auth/keystone/internal/store"
)

// How notices to clients are delivered: to some clients at a time, so that a
// receiver that hangs holds its own notices only; again after a failure, later each
// time; not for ever. 10 attempts are about eleven hours.
const (
	noticeBatch    = 64
	noticeClients  = 8 // that are posted to at the same time
	noticeDoubtful = noticeClients / 2
	noticeClaim    = time.Minute // a node that dies keeps its notices from the others for so long
	noticeTime     = 45 * time.Second
	noticeLook     = time.Second // how soon what came meanwhile is seen
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
		r := deliveryRun{Server: s, notices: n, busy: map[string]*receiver{}, done: make(chan *receiver)}
		return r.run(ctx)
	}
}

// receiver is a client with what it is to be told.
type receiver struct {
	client string
	// Who failed lately, and whoever is a stranger here, may well hang on purpose: all
	// of them together have half of the places.
	doubtful bool
	until    time.Time // when what is left of the list is put back

	mu          sync.Mutex
	list        []store.Message
	ended       bool  // nothing can be added any more
	interrupted bool  // we are told to stop
	err         error // of writing down what became of a notice
}

// add lets a notice be delivered after those that are there, unless there are many
// or the last was delivered.
func (one *receiver) add(m store.Message) (added, ended bool) {
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.ended || len(one.list) >= noticeBatch {
		return false, one.ended
	}
	one.list = append(one.list, m)
	return true, false
}

// next is the next notice; after false nothing can be added.
func (one *receiver) next() (m store.Message, ok bool) {
	one.mu.Lock()
	defer one.mu.Unlock()
	if len(one.list) == 0 {
		one.ended = true
		return m, false
	}
	m, one.list = one.list[0], one.list[1:]
	return m, true
}

// rest is what is left, after which nothing can be added.
func (one *receiver) rest() []store.Message {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.ended = true
	return one.list
}

// deliveryRun is one run of the job. It takes what is due as places become free, so that
// who hangs delays nobody who has a place.
type deliveryRun struct {
	*Server
	notices  notices
	waiting  []*receiver // for a place, first come first served
	busy     map[string]*receiver
	doubtful int // of the busy
	done     chan *receiver
	stopping bool
}

func (r *deliveryRun) run(ctx context.Context) (err error) {
	look := time.NewTicker(noticeLook)
	defer look.Stop()
	for {
		if err == nil && !r.stopping && ctx.Err() == nil {
			err = r.take(ctx)
		}
		err = errors.Join(err, r.start(ctx))
		if len(r.busy) == 0 {
			return err
		}
		select {
		case one := <-r.done:
			delete(r.busy, one.client)
			if one.doubtful {
				r.doubtful--
			}
			err, r.stopping = errors.Join(err, one.err), r.stopping || one.interrupted
		case <-look.C:
		}
	}
}

// take claims until somebody waits or nothing is due. What cannot have a place soon
// is put back with all that is due for the same client, so that it stands before
// nobody.
func (r *deliveryRun) take(ctx context.Context) error {
	for len(r.waiting) == 0 && len(r.busy) < noticeClients {
		batch, err := r.parts.Store.Claim(ctx, r.notices.kind, r.node, noticeBatch, noticeClaim)
		if err != nil {
			return err
		}
		late := map[string][]store.Message{}
		doubtful := r.doubtful
		of := map[string]*receiver{}
		for _, m := range batch {
			id := oauth.ClientOf(m.Payload)
			full := false
			if one := cmp.Or(of[id], r.busy[id]); one != nil {
				added, ended := one.add(m)
				if added {
					continue
				}
				full = !ended
			}
			one := &receiver{client: id, doubtful: m.Failed || r.stranger(ctx, id), until: time.Now().Add(noticeTime), list: []store.Message{m}}
			if full || late[id] != nil || one.doubtful && doubtful == noticeDoubtful {
				late[id] = append(late[id], m)
				continue
			}
			if one.doubtful {
				doubtful++
			}
			of[id], r.waiting = one, append(r.waiting, one)
		}
		for id, list := range late {
			pause := noticeFirst
			if r.busy[id] != nil {
				pause = noticeLook
			}
			if err := r.later(ctx, id, list, pause); err != nil {
				return err
			}
		}
		if len(batch) < noticeBatch {
			return nil
		}
	}
	return nil
}

// later puts a client's notices back, untried, and moves its others along.
func (r *deliveryRun) later(ctx context.Context, clientID string, list []store.Message, pause time.Duration) error {
	due := r.parts.Store.Now().Add(pause)
	if err := r.parts.Store.PutBack(context.WithoutCancel(ctx), r.node, list, due); err != nil {
		return err
	}
	return r.parts.Store.Postpone(context.WithoutCancel(ctx), r.notices.kind, clientID, "", due)
}

func (r *deliveryRun) stranger(ctx context.Context, clientID string) bool {
	c, err := r.parts.Store.CachedClient(ctx, clientID)
	return err == nil && c.Stranger()
}

// start gives those who wait the places that are free. Who has waited for so long
// that the claim may end goes back.
func (r *deliveryRun) start(ctx context.Context) error {
	for len(r.busy) < noticeClients {
		at := slices.IndexFunc(r.waiting, func(one *receiver) bool { return r.busy[one.client] == nil })
		if at < 0 {
			return nil
		}
		one := r.waiting[at]
		r.waiting = slices.Delete(r.waiting, at, at+1)
		if ctx.Err() != nil || time.Until(one.until) < noticeTime/2 {
			if err := r.parts.Store.PutBack(context.WithoutCancel(ctx), r.node, one.list, r.parts.Store.Now()); err != nil {
				return err
			}
			continue
		}
		r.busy[one.client] = one
		if one.doubtful {
			r.doubtful++
		}
		go func() {
			one.err = r.deliverTo(ctx, r.notices, one)
			r.done <- one
		}()
	}
	return nil
}

// deliverTo delivers the notices of one client in turn. After a failure the others
// wait too, those that are due and not yet taken as well: what does not answer one
// does not answer the next.
func (s *Server) deliverTo(ctx context.Context, n notices, one *receiver) error {
	ctx, cancel := context.WithDeadline(ctx, one.until) // well within the claim
	defer cancel()
	kept := context.WithoutCancel(ctx)
	var why error
	for {
		if why == nil && ctx.Err() != nil { // so many that they took all the time
			return s.parts.Store.PutBack(kept, s.node, one.rest(), s.parts.Store.Now())
		}
		m, ok := one.next()
		if !ok {
			break
		}
		if why == nil || errors.Is(why, oauth.ErrUnwanted) { // which says nothing of the next
			why = n.deliver(ctx, m.Payload)
		}
		if err := s.settle(kept, n, m, why); err != nil {
			return err
		}
	}
	one.interrupted = errors.Is(why, context.Canceled)
	if why == nil || errors.Is(why, oauth.ErrUnwanted) || one.interrupted {
		return nil
	}
	return s.parts.Store.Postpone(kept, n.kind, one.client, shortened(why.Error()), s.parts.Store.Now().Add(noticeFirst))
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

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/oauth"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// hanging is a crowd of receivers that take a notice and never answer.
type hanging struct {
	mu        sync.Mutex
	clients   map[string]bool
	most, now int
	let       chan struct{}
	arrived   chan string // of the others
}

func newHanging(clients ...string) *hanging {
	h := &hanging{clients: map[string]bool{}, let: make(chan struct{}), arrived: make(chan string, 100)}
	for _, id := range clients {
		h.clients[id] = true
	}
	return h
}

func (h *hanging) take(payload string) error {
	id := oauth.ClientOf([]byte(payload))
	if !h.clients[id] {
		h.arrived <- id
		return nil
	}
	h.mu.Lock()
	h.now++
	h.most = max(h.most, h.now)
	h.mu.Unlock()
	<-h.let
	h.mu.Lock()
	h.now--
	h.mu.Unlock()
	return errors.New("the receiver does not answer")
}

func (h *hanging) wait(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-h.arrived:
		if got != want {
			t.Errorf("%s was told before %s", got, want)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("%s waits for those who hang", want)
	}
}

// TestNoticesThatHang: any number of strangers, and of receivers that failed before,
// may hang; nobody else waits for them, whether their notices came later or earlier.
func TestNoticesThatHang(t *testing.T) {
	eachCourier(t, func(t *testing.T, open func() *courier, clock *storetest.Clock) {
		c, ctx := open(), context.Background()
		var strangers, failed []string
		for i := range noticeBatch + 6 {
			r, err := c.parts.Store.RegisterClient(ctx, keystone.Actor{}, "", store.Strangers{Most: 1000, PerPeer: 1000}, "", func(keystone.RegistrationPolicy) (keystone.Client, error) {
				return keystone.Client{Name: fmt.Sprint("Stranger ", i), Kind: keystone.ClientNative, RedirectURIs: []string{"https://app.example/cb"}}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			strangers, failed = append(strangers, r.Client.ID), append(failed, fmt.Sprint("failed", i))
		}
		for _, name := range []string{"strangers", "failed before"} {
			crowd := strangers
			if name == "failed before" {
				crowd = failed
			}
			for _, id := range slices.Concat(crowd, crowd) {
				enqueue(t, c, `{"client_id":"`+id+`"}`)
			}
			if name == "failed before" {
				c.fails = func(string) error { return errors.New("the receiver answered 500") }
				c.run()
				clock.Move(noticeFirst) // they are due again
			}
			h := newHanging(slices.Concat(strangers, failed)...)
			c.fails = h.take
			enqueue(t, c, `{"client_id":"first"}`)
			ended := make(chan struct{})
			go func() { defer close(ended); c.run() }()
			h.wait(t, "first")
			enqueue(t, c, `{"client_id":"second"}`) // while all of them hang
			h.wait(t, "second")
			h.mu.Lock()
			if h.most > noticeDoubtful || h.most == 0 {
				t.Errorf("%s: %d hung at a time", name, h.most)
			}
			h.mu.Unlock()
			close(h.let)
			<-ended
			for _, w := range c.waiting(false) {
				if w.Attempts < 0 || !w.DueAt.After(clock.Now()) {
					t.Errorf("%s: %+v", name, w)
				}
			}
		}
	})
}

// TestNoticesOfAFailedClientMove: after a failure all of a client's notices wait,
// those too that were not in hand, and no other client's.
func TestNoticesOfAFailedClientMove(t *testing.T) {
	eachCourier(t, func(t *testing.T, open func() *courier, clock *storetest.Clock) {
		c := open()
		const names = `broken orders broke broken2 https://a.example/?x=1&y=<2>`
		c.fails = func(payload string) error {
			if strings.Contains(payload, `"broken"`) || strings.Contains(payload, "a.example") {
				return errors.New("the receiver answered 500")
			}
			return nil
		}
		for range noticeBatch + 1 {
			for _, id := range strings.Fields(names) {
				payload, err := json.Marshal(store.LogoutNotice{ClientID: id, UserID: "jane"})
				if err != nil {
					t.Fatal(err)
				}
				enqueue(t, c, string(payload))
			}
		}
		tried := map[string]int{}
		for _, p := range c.run() {
			tried[oauth.ClientOf([]byte(p))]++
		}
		for _, id := range strings.Fields(names) {
			fails := id == "broken" || strings.Contains(id, "a.example")
			if n := tried[id]; !fails && n != noticeBatch+1 || fails && n != 1 && n != 2 { // one more may have been taken before the first failed
				t.Errorf("%s was told %d times", id, n)
			}
		}
		for _, w := range c.waiting(false) {
			if w.LastError != "the receiver answered 500" || !w.DueAt.Equal(clock.Now().UTC().Add(noticeFirst)) {
				t.Fatalf("%+v", w)
			}
		}
	})
}

package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestOutboxGivenUp: what was given up is listed with how often and why, never with
// what it says; doctor warns of it; it can be brought back, one or all; the trail
// says who did.
func TestOutboxGivenUp(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": storetest.SQLitePath, "postgres": storetest.PostgresURL} {
		t.Run(name, func(t *testing.T) {
			ctx, database, clock := context.Background(), url(t), storetest.NewClock()
			m, s := newMachine(t, database), storetest.OpenAt(t, database, clock)
			giveUp := func() {
				t.Helper()
				list, err := s.Claim(ctx, store.MessageLogout, "node", 10, time.Minute)
				if err != nil || len(list) != 2 {
					t.Fatal(list, err)
				}
				for _, one := range list {
					if err := s.Undelivered(ctx, one.ID, "node", "the receiver answered 500", clock.Now(), true); err != nil {
						t.Fatal(err)
					}
				}
			}
			for range 2 {
				if err := s.Enqueue(ctx, store.MessageLogout, []byte(`{"client_id":"orders","user_id":"CANARY"}`)); err != nil {
					t.Fatal(err)
				}
			}
			giveUp()
			list := m.items("outbox", "list", "--given-up")
			if len(list) != 2 || list[0]["attempts"] != 1.0 || list[0]["last_error"] != "the receiver answered 500" || list[0]["given_up_at"] == nil || list[0]["kind"] != store.MessageLogout {
				t.Fatalf("%v", list)
			}
			for _, command := range [][]string{{"outbox", "list"}, {"outbox", "list", "--given-up"}, {"outbox", "list", "--json"}} {
				if got := m.run("", command...); got.code != 0 || !strings.Contains(got.out, "the receiver answered 500") || strings.Contains(got.out, "CANARY") {
					t.Errorf("%v: %+v", command, got)
				}
			}
			if got := m.run("", "doctor"); !strings.Contains(got.out, "2 messages to other servers were given up. See: keystone outbox list --given-up") {
				t.Errorf("doctor: %+v", got)
			}
			if got := m.object("outbox", "retry", list[0]["id"].(string)); got["due"] != 1.0 {
				t.Errorf("%v", got)
			}
			if left := m.items("outbox", "list", "--given-up"); len(left) != 1 || left[0]["id"] != list[1]["id"] {
				t.Errorf("left: %v", left)
			}
			if got := m.object("outbox", "retry", "--given-up"); got["due"] != 1.0 {
				t.Errorf("%v", got)
			}
			clock.Move(time.Minute) // past the command's own time
			giveUp()                // both are due again
			if got := m.items("audit", "list", "--action", "messages.retried"); len(got) != 2 || got[1]["target_id"] != list[0]["id"] {
				t.Errorf("the trail: %v", got)
			}
		})
	}
}

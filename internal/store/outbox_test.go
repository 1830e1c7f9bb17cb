package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func claim(t testing.TB, s *store.Store, holder string) []store.Message {
	t.Helper()
	return must[[]store.Message](t)(s.Claim(ctx, "mail", holder, 10, time.Minute))
}

func TestOutbox(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		payload := []byte{0, 0xff, '"', 1}
		ok(t, s.Enqueue(ctx, "mail", payload))
		ok(t, s.Enqueue(ctx, "hook", []byte("another kind")))
		got := claim(t, s, "a")
		if len(got) != 1 || got[0].Attempts != 1 || got[0].Kind != "mail" || !bytes.Equal(got[0].Payload, payload) {
			t.Fatalf("%+v", got)
		}
		id := got[0].ID
		if more := claim(t, s, "b"); len(more) != 0 {
			t.Fatal("handed out twice")
		}
		// The holder dies: due again when the claim ends.
		clock.Move(time.Minute)
		got = claim(t, s, "b")
		if len(got) != 1 || got[0].ID != id || got[0].Attempts != 2 {
			t.Fatalf("%+v", got)
		}
		ok(t, s.Delivered(ctx, id, "a")) // too late: no longer its holder
		ok(t, s.Undelivered(ctx, id, "a", "late", clock.Now().Add(time.Hour), true))
		ok(t, s.Undelivered(ctx, id, "b", "receiver answered 500", clock.Now().Add(time.Hour), false))
		if got := claim(t, s, "a"); len(got) != 0 {
			t.Fatal("handed out before it is due")
		}
		clock.Move(time.Hour)
		got = claim(t, s, "a")
		if len(got) != 1 || got[0].Attempts != 3 {
			t.Fatalf("%+v", got)
		}
		ok(t, s.Undelivered(ctx, id, "a", "given up", clock.Now(), true))
		clock.Move(time.Hour)
		if got := claim(t, s, "a"); len(got) != 0 {
			t.Fatal("a dead message is handed out")
		}
		left := must[[]string](t)(s.RawTexts(ctx, `SELECT kind || ' ' || last_error FROM outbox ORDER BY kind`))
		if fmt.Sprint(left) != "[hook  mail given up]" {
			t.Fatal(left)
		}
		ok(t, s.Enqueue(ctx, "mail", []byte("next")))
		got = claim(t, s, "a")
		ok(t, s.Delivered(ctx, got[0].ID, "a"))
		if left := must[[]string](t)(s.RawTexts(ctx, `SELECT id FROM outbox WHERE kind = 'mail' AND dead_at = 0`)); len(left) != 0 {
			t.Fatal("a delivered message stays")
		}
	})
}

// TestOutboxLeavesWithItsTransaction: a message tells of what happened, or it
// does not exist.
func TestOutboxLeavesWithItsTransaction(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		failed := errors.New("no")
		for _, outcome := range []error{failed, nil} {
			err := s.InTx(ctx, func(tx *store.Store) error {
				ok(t, tx.Enqueue(ctx, "mail", []byte("x")))
				return outcome
			})
			if !errors.Is(err, outcome) {
				t.Fatal(err)
			}
		}
		if got := claim(t, s, "a"); len(got) != 1 {
			t.Fatalf("%d messages", len(got))
		}
	})
}

// TestClaimRace: sixteen workers on two nodes never hold one message at once.
func TestClaimRace(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		const messages = 40
		for i := range messages {
			ok(t, nodes[0].Enqueue(ctx, "mail", []byte(fmt.Sprint(i))))
		}
		for range 2 { // the second time all claims have ended
			held := map[string]int{}
			for i, list := range together(16, func(i int) []store.Message {
				var mine []store.Message
				for range 5 {
					list, err := nodes[i%2].Claim(ctx, "mail", fmt.Sprint("worker", i), 7, time.Minute)
					if err != nil {
						t.Error(err)
					}
					mine = append(mine, list...)
				}
				return mine
			}) {
				for _, m := range list {
					if before, twice := held[m.ID]; twice {
						t.Errorf("%s is held by %d and %d", m.ID, before, i)
					}
					held[m.ID] = i
				}
			}
			if len(held) != messages {
				t.Errorf("%d of %d were handed out", len(held), messages)
			}
			clock.Move(time.Minute)
		}
	})
}

// TestDeadStaysDead: a message that one worker gives up while another looks for
// work is not handed out again.
func TestDeadStaysDead(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		for range 30 {
			ok(t, nodes[0].Enqueue(ctx, "mail", []byte("x")))
		}
		seen := map[string]int{}
		for _, list := range together(8, func(i int) (mine []store.Message) {
			holder := fmt.Sprint("worker", i)
			for range 6 {
				list, err := nodes[i%2].Claim(ctx, "mail", holder, 5, time.Minute)
				if err != nil {
					t.Error(err)
				}
				for _, m := range list {
					if err := nodes[i%2].Undelivered(ctx, m.ID, holder, "given up", clock.Now(), true); err != nil {
						t.Error(err)
					}
				}
				mine = append(mine, list...)
			}
			return mine
		}) {
			for _, m := range list {
				if seen[m.ID]++; seen[m.ID] > 1 {
					t.Errorf("%s was handed out again", m.ID)
				}
			}
		}
		if len(seen) != 30 {
			t.Errorf("%d of 30", len(seen))
		}
	})
}

package store_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestBackchannel: what waits for a person, and what there is to tell the client
// when they have answered: in the transaction of the answer, sealed.
func TestBackchannel(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		jane := newUser(t, s, "jane")
		c, _ := newService(t, s)
		by := keystone.Operator("test")
		const bearer = "a-bearer-value-of-the-client"
		add := func(userID, notify string) (string, store.Pending, error) {
			clock.Move(time.Second) // ids are in order by the millisecond
			now := clock.Now()
			p := store.Pending{ID: keystone.NewID(now), Kind: store.PendingBackchannel, ClientID: c.ID, UserID: userID, Message: "hello", CreatedAt: now, ExpiresAt: now.Add(time.Minute)}
			code := secret.New(secret.AuthReqID)
			return code, p, s.AddBackchannel(ctx, by, code, p, notify)
		}
		if _, _, err := add(keystone.NewID(clock.Now()), ""); keystone.KindOf(err) != keystone.NotFound {
			t.Errorf("of nobody: %v", err)
		}
		code, told, err := add(jane.ID, bearer)
		if err != nil {
			t.Fatal(err)
		}
		_, polls, err := add(jane.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		if list := must[[]store.Pending](t)(s.WaitingFor(ctx, jane.ID)); len(list) != 2 || list[0].ID != told.ID || list[0].Message != "hello" || list[1].ID != polls.ID {
			t.Errorf("%+v", list)
		}
		column := `hex(notify)`
		if s.OnPostgres() {
			column = `encode(notify, 'escape')`
		}
		stored := strings.Join(must[[]string](t)(s.RawTexts(ctx, `SELECT `+column+` FROM pending_authorizations WHERE notify IS NOT NULL`)), " ")
		if stored == "" || strings.Contains(stored, bearer) || strings.Contains(stored, code) || strings.Contains(strings.ToLower(stored), "612d626561726572") {
			t.Errorf("stored as %q", stored)
		}
		for _, p := range []store.Pending{told, polls} {
			if ok := must[bool](t)(s.AnswerPending(ctx, by, p.ID, jane.ID, nil)); !ok {
				t.Error("not answered")
			}
		}
		list := must[[]store.Message](t)(s.Claim(ctx, store.MessagePing, "test", 10, time.Minute))
		if len(list) != 1 || strings.Contains(string(list[0].Payload), bearer) || strings.Contains(string(list[0].Payload), code) {
			t.Fatalf("%d messages: %+v", len(list), list)
		}
		var ping store.Ping
		if err := json.Unmarshal(list[0].Payload, &ping); err != nil {
			t.Fatal(err)
		}
		n := must[store.Notification](t)(s.OpenPing(ping))
		if n.AuthReqID != code || n.Token != bearer || ping.ClientID != c.ID || !ping.Until.Equal(told.ExpiresAt.Truncate(time.Microsecond)) {
			t.Errorf("%+v %+v", ping, n)
		}
		ping.ClientID = jane.ID // what is sealed belongs to its client
		if _, err := s.OpenPing(ping); err == nil {
			t.Error("opened for another client")
		}
		if list := must[[]store.Pending](t)(s.WaitingFor(ctx, jane.ID)); len(list) != 0 {
			t.Errorf("answered, and still waiting: %+v", list)
		}
	})
}

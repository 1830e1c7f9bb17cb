package keystone_test

import (
	"sync"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/keystonetest"
)

func refresh(t *testing.T, s *keystonetest.Server, token string, more ...any) answer {
	t.Helper()
	body := m{"refresh_token": token}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return as(s, "").json(t, "POST", "/api/v1/auth/refresh", body)
}

// D1, D2, D3, D8: a refresh token has one successor, on any nodes; an older one
// ends the family; nothing outlives the session.
func TestAttackD_RefreshTokens(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		node := s.AddNode()
		u := s.CreateUser("refresher")

		first := s.SignIn(u)
		next, all, mu := map[string]int{}, sync.WaitGroup{}, sync.Mutex{}
		for i := range 40 {
			all.Go(func() {
				got := refresh(t, []*keystonetest.Server{s, node}[i%2], first.RefreshToken)
				mu.Lock()
				defer mu.Unlock()
				if got.status != 200 {
					t.Errorf("D1: answered %d %s", got.status, got.body)
				}
				next[got.text("refresh_token")]++
			})
		}
		all.Wait()
		if len(next) != 1 {
			t.Errorf("D1: %d successors of one token", len(next))
		}
		var second string
		for second = range next {
		}
		third := refresh(t, s, second)
		third.wants(t, 200, "use of the successor")
		refresh(t, node, first.RefreshToken).wants(t, 401, "D2: the one before the last, inside the window")
		refresh(t, s, third.text("refresh_token")).wants(t, 401, "D2: the family after that")
		settles(t, "D2: the access token", func() bool {
			return as(node, third.text("access_token")).json(t, "GET", "/api/v1/users/me", nil).status == 401
		})
		if rows := audited(t, s, "action="+keystone.ActTokenReuse); len(rows) != 1 {
			t.Errorf("D2: %d rows of reuse", len(rows))
		}

		late := s.SignIn(u)
		after := refresh(t, s, late.RefreshToken)
		s.Clock.Move(11 * time.Second)
		refresh(t, node, late.RefreshToken).wants(t, 401, "D3: predecessor after the window")
		refresh(t, s, after.text("refresh_token")).wants(t, 401, "D3: the family after that")

		wide := s.SignIn(u)
		refresh(t, s, wide.RefreshToken, "scope", keystone.UsersRead).wants(t, 400, "D7: wider scope")
		c := s.CreateClient(keystone.Client{Kind: keystone.ClientSPA})
		refresh(t, s, wide.RefreshToken, "client_id", c.ID).wants(t, 401, "another client's token")
		as(s, "").form(t, "/oauth2/token", "grant_type", "refresh_token", "client_id", "keystone", "refresh_token", wide.RefreshToken, "resource", "https://rs.example").wants(t, 400, "D7: new resource")
		for _, bad := range []string{wide.RefreshToken + "x", wide.RefreshToken[:len(wide.RefreshToken)-1], wide.RefreshToken[:20] + wide.RefreshToken[21:], " " + wide.RefreshToken} {
			refresh(t, s, bad).wants(t, 401, "a changed token")
		}
		as(s, "").form(t, "/oauth2/revoke", "token", wide.RefreshToken, "client_id", c.ID).wants(t, 200, "D9: somebody else's token")
		kept := refresh(t, s, wide.RefreshToken)
		kept.wants(t, 200, "D9: which goes on")

		token := kept.text("refresh_token")
		for range 90 { // slides a week at a time, longer than any session may be
			s.Clock.Move(24 * 7 * time.Hour)
			got := refresh(t, s, token)
			if got.status == 401 {
				return
			}
			token = got.text("refresh_token")
		}
		t.Error("D8: a refresh token slides for ever")
	})
}

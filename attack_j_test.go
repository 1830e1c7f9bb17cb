package keystone_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store/storetest"
	"github.com/keystone-auth/keystone/keystonetest"
)

// J1: whatever is wrong with a sign-in, the answer is the same.
func TestAttackJ1_OneAnswer(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		known, disabled, reset := s.CreateUser("known"), s.CreateUser("disabled"), s.CreateUser("reset")
		s.Call("PATCH", "/api/v1/users/"+disabled.ID, s.Admin(), m{"enabled": false}, nil)
		s.Call("POST", "/api/v1/users/"+reset.ID+"/password-reset", s.Admin(), nil, nil)
		shape := func(name, pass string) string {
			a := as(s, "").with("X-Request-Id", "the-same-request").json(t, "POST", "/api/v1/auth/login", m{"username": name, "password": pass})
			a.header.Del("Date")
			delete(a.fields, "timestamp")
			return fmt.Sprint(a.status, a.fields, a.header)
		}
		want := shape("nobody-at-all", "not the password!")
		for _, c := range [][2]string{
			{"known", "not the password!"}, {"known@example.com", "not the password!"}, {"disabled", disabled.Password}, {"disabled", "x"},
			{"reset", reset.Password}, {"nobody@example.com", "x"}, {"known", ""}, {"!!", "x"}, {"раураl", "x"}, {strings.Repeat("a", 254), "x"},
		} {
			if got := shape(c[0], c[1]); got != want {
				t.Errorf("%q is told apart:\n%s\n%s", c[0], got, want)
			}
		}
		s.SignIn(known)
	})
}

// J2: nor does the time tell. The work is one hash each; 100 samples of each
// kind, in turn, so that a busy machine is busy for both.
func TestAttackJ2_OneTime(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithRealHashing())
	var names []string
	for i := range 25 { // several, each below its free failures
		names = append(names, s.CreateUser(fmt.Sprintf("timed%d", i)).Username)
	}
	var spent [2][]time.Duration
	for i := range 100 {
		for kind, name := range []string{names[i%25], fmt.Sprintf("nobody%d", i%25)} {
			start := time.Now()
			s.Call("POST", "/api/v1/auth/login", "", m{"username": name, "password": "not the password!"}, nil)
			spent[kind] = append(spent[kind], time.Since(start))
		}
	}
	slices.Sort(spent[0])
	slices.Sort(spent[1])
	known, unknown := spent[0][30], spent[1][30] // below the median: what the machine adds is above
	if ratio := float64(known) / float64(unknown); ratio < 0.5 || ratio > 2 {
		t.Errorf("a known name takes %v, an unknown one %v", known, unknown)
	}
}

// J6, J7: guesses are counted, whichever name of the account they are made
// under, and from a whole IPv6 network, of which a host may use every address.
func TestAttackJ6_GuessesAreCounted(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateUser("guessed")
		guess := func(name, from string) int {
			got := as(s, "").with("X-Forwarded-For", from).json(t, "POST", "/api/v1/auth/login", m{"username": name, "password": "guess"})
			if left := got.header.Get("RateLimit-Remaining"); got.status == http.StatusTooManyRequests && (left != "0" || got.header.Get("RateLimit-Reset") != got.header.Get("Retry-After")) {
				t.Errorf("refused, with %s left: %v", left, got.header)
			}
			return got.status
		}
		limited := func(name string, from func(int) string) (at int) {
			for i := range 12 {
				if guess(name, from(i)) == http.StatusTooManyRequests {
					return i
				}
			}
			return -1
		}
		if at := limited("guessed", func(i int) string { return fmt.Sprintf("2001:db8:1:1::%x", i+1) }); at < 0 {
			t.Error("every address of an IPv6 network has guesses of its own")
		}
		if at := limited("nobody", func(i int) string { return fmt.Sprintf("2001:db8:1:2::%x", i+1) }); at < 0 {
			t.Error("unknown names are counted in another way")
		}
		if at := limited("ＧＵＥＳＳＥＤ", func(int) string { return "2001:db8:1:1::ffff" }); at < 0 || at > 2 { // the first waits are a second or two, and may be over by now
			t.Error("another spelling of the name has guesses of its own", at)
		}
		if guess("guessed", "2001:db8:9::1") != 401 || guess("guessed", "198.51.100.1") != 401 {
			t.Error("J7: one network locks the account for all")
		}
	}, keystonetest.WithSettings(map[string]string{"TRUSTED_PROXIES": "127.0.0.1/32"}))
}

// J7: guesses from everywhere, even while they go on, do not keep the owner out
// where they signed in before, on the API and on the page.
func TestAttackJ7_OwnerGetsIn(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		u := s.CreateUser("owner")
		login := func(from, pass string) answer {
			return as(s, "").with("X-Forwarded-For", from).json(t, "POST", "/api/v1/auth/login", m{"username": u.Username, "password": pass})
		}
		login("198.51.100.9", u.Password).wants(t, 200, "the owner at home")
		for i := range 26 {
			for range 4 {
				login(fmt.Sprintf("192.0.2.%d", i), "guess")
			}
		}
		login("203.0.113.77", u.Password).wants(t, 429, "a stranger with the right password")
		for range 3 {
			login("198.51.100.9", u.Password).wants(t, 200, "the owner at home, during the guess")
			login("192.0.2.200", "guess")
		}
	}, keystonetest.WithSettings(map[string]string{"TRUSTED_PROXIES": "127.0.0.1/32", "RATE_LIMIT_LOGIN": "5/minute"}))
}

// J7: where the database cannot write a session down, the right password is no failed
// attempt: its owner tries again, as they are told to, and is not locked out when
// there is room again. A wrong one counts all the while.
func TestAttackJ7_FullDatabaseLocksNobodyOut(t *testing.T) {
	database := storetest.PostgresURL(t)
	s := keystonetest.Start(t, keystonetest.WithPostgres(database))
	owner, guessed, app := s.CreateUser("owner"), s.CreateUser("guessed"), webClient(s)
	login := func(u keystonetest.User, pass string) answer {
		return as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": u.Username, "password": pass})
	}
	free := storetest.Full(t, database, "sessions")
	for range 8 {
		login(owner, owner.Password).wants(t, 503, "the right password by the API")
		b := newBrowser(t, s)
		b.open(authorizeURL(s, app))
		if b.signIn(owner); b.page.status != 503 {
			t.Errorf("the right password on the page: %d", b.page.status)
		}
	}
	last := 0
	for range 8 {
		last = login(guessed, "guess").status
	}
	if last != 429 {
		t.Errorf("the eighth wrong one answers %d", last)
	}
	free()
	login(owner, owner.Password).wants(t, 200, "afterwards")
	login(guessed, guessed.Password).wants(t, 429, "whom somebody guessed")
}

// J8: one password on every account, from as many addresses, is slowed down;
// people who signed in before are not.
func TestAttackJ8_Spray(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		u := s.CreateUser("regular")
		login := func(from, name, pass string) answer {
			return as(s, "").with("X-Forwarded-For", from).json(t, "POST", "/api/v1/auth/login", m{"username": name, "password": pass})
		}
		login("198.51.100.9", u.Username, u.Password).wants(t, 200, "the first time")
		got := map[int]int{}
		for i := range 60 {
			got[login(fmt.Sprintf("2001:db8:%x::1", i), fmt.Sprintf("account%d", i), "Summer-2026-now").status]++
		}
		if got[401] < 20 || got[401] > 25 || got[429] != 60-got[401] { // the bucket refills while the test runs
			t.Errorf("answers: %v, want about 20 times 401", got)
		}
		a := login("203.0.113.5", u.Username, u.Password)
		a.wants(t, 429, "a new place during the spray")
		if a.header.Get("Retry-After") == "" {
			t.Error("nobody is told how long to wait")
		}
		login("198.51.100.9", u.Username, u.Password).wants(t, 200, "where they signed in before")
	}, keystonetest.WithSettings(map[string]string{"TRUSTED_PROXIES": "127.0.0.1/32", "RATE_LIMIT_GUESSES": "20/hour"}))
}

// J1: a right password that is refused for what else was asked leaves its trace.
func TestAttackJ1_RightPasswordLeavesATrace(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		u := s.CreateUser("silent")
		admin := s.SignIn(s.CreateUser("boss", keystone.RoleAdmin)).AccessToken
		as(s, "").json(t, "POST", "/api/v1/auth/login", m{"username": u.Username, "password": u.Password, "scope": "no.such.scope"}).wants(t, 400, "a scope that is not there")
		list := as(s, admin).json(t, "GET", "/api/v1/admin/audit?action=sign_in.failed", nil)
		if !strings.Contains(list.body, u.ID) || !strings.Contains(list.body, `"reason":"request"`) {
			t.Errorf("the trail does not tell: %s", list.body)
		}
	})
}

// J3, J6: names and addresses can be tried three times an hour, as at registration,
// and the password that goes with an address has the limit of sign-in.
func TestAttackJ3_ChangeOfNames(t *testing.T) {
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateUser("ada")
		token := s.SignIn(s.CreateUser("curious")).AccessToken
		change := func(fields m) answer { return as(s, token).json(t, "PATCH", "/api/v1/users/me", fields) }
		change(m{"username": "ada"}).wants(t, 409, "the first guess")
		change(m{"email": "ada@example.com", "current_password": "wrong"}).wants(t, 403, "the second")
		change(m{"username": "ada"}).wants(t, 409, "the third")
		change(m{"username": "ada"}).wants(t, 429, "the fourth")
		change(m{"email": "ada@example.com", "current_password": "wrong"}).wants(t, 429, "the fifth, of an address")
		change(m{"first_name": "Curious"}).wants(t, 200, "another field")
	}, keystonetest.WithSettings(map[string]string{"REGISTRATION": "closed", "RATE_LIMIT_REGISTER": "3/hour"}))
}

// J3: a closed registration tells of no account, on the API or on the page; an open
// one, which has to, tells as often as the limit lets it whichever way somebody asks,
// and does the work of a hash either way, so that the time tells no more.
func TestAttackJ3_TakenAddresses(t *testing.T) {
	register := func(t *testing.T, s *keystonetest.Server, name, email string) answer {
		return as(s, "").json(t, "POST", "/api/v1/auth/register", m{"username": name, "email": email, "password": newPassword})
	}
	page := func(t *testing.T, s *keystonetest.Server, name, email string) page {
		b := newBrowser(t, s)
		b.open(authorizeURL(s, webClient(s)))
		flow := flowOf(b.page)
		resp, err := b.http.PostForm(s.URL+"/register", url.Values{"flow": {flow}, "username": {name}, "email": {email}, "password": {newPassword}})
		b.arrive(resp, err)
		b.page.body = strings.ReplaceAll(b.page.body, flow, "")
		return b.page
	}
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateUser("ada")
		told := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|"timestamp":[0-9]+`)
		var api, form string
		for _, who := range [][2]string{{"free", "free@example.com"}, {"ada", "free@example.com"}, {"free", "ada@example.com"}, {"ADA", "Ada@Example.com"}} {
			a, p := register(t, s, who[0], who[1]), page(t, s, who[0], who[1])
			a.wants(t, 403, "%v", who)
			if got := told.ReplaceAllString(a.body, ""); api != "" && got != api {
				t.Errorf("the API tells %v apart: %s", who, got)
			} else {
				api = got
			}
			if got := fmt.Sprint(p.status, told.ReplaceAllString(p.body, "")); form != "" && got != form || p.status != 403 {
				t.Errorf("the page tells %v apart: %s", who, got)
			} else {
				form = got
			}
		}
	}, keystonetest.WithSettings(map[string]string{"REGISTRATION": "closed"}))
	eachServer(t, func(t *testing.T, s *keystonetest.Server) {
		s.CreateUser("ada")
		register(t, s, "x1", "ada@example.com").wants(t, 409, "the first")
		if got := page(t, s, "x2", "ada@example.com"); got.status != 409 {
			t.Errorf("the second, on the page: %d", got.status)
		}
		register(t, s, "ada", "x@example.com").wants(t, 409, "the third")
		for range 3 {
			register(t, s, "x3", "ada@example.com").wants(t, 429, "the fourth")
			register(t, s, "free", "free@example.com").wants(t, 429, "the fourth, of a free name")
			if got := page(t, s, "x3", "ada@example.com"); got.status != 429 {
				t.Errorf("the fourth, on the page: %d", got.status)
			}
		}
	}, keystonetest.WithSettings(map[string]string{"REGISTRATION": "open", "RATE_LIMIT_REGISTER": "3/hour"}))
}

// G9: a stranger at the same address cannot stop the sign-ins of a public client.
func TestAttackG9_PublicClientIsNotStopped(t *testing.T) {
	s := keystonetest.Start(t, keystonetest.WithSettings(map[string]string{"RATE_LIMIT_TOKEN": "5/minute"}))
	u := s.CreateUser("colleague")
	tokens := s.SignIn(u)
	service := s.CreateClient(keystone.Client{})
	for range 12 {
		as(s, "").form(t, "/oauth2/token", "grant_type", "refresh_token", "client_id", "keystone", "client_secret", "x", "refresh_token", "x")
	}
	refresh(t, s, tokens.RefreshToken).wants(t, 200, "a colleague's refresh")
	limited := 0
	for range 12 {
		if as(s, "").form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", service.ID, "client_secret", "guess").status == 429 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("guesses at a secret are not limited")
	}
	as(s, "").with("X-Forwarded-For", "198.51.100.7").form(t, "/oauth2/token", "grant_type", "client_credentials", "client_id", service.ID, "client_secret", "guess").wants(t, 429, "R2: a forwarded address from nobody that is trusted")
}

// J10: nobody counts or searches users without the right to.
func TestAttackJ10_NoOracle(t *testing.T) {
	s := keystonetest.Start(t)
	_, token := limitedAdmin(s, "clients-helper", keystone.ClientsRead, keystone.ClientsWrite, keystone.UsersWrite)
	for _, path := range []string{"/api/v1/users", "/api/v1/users?q=a", "/api/v1/admin/stats", "/api/v1/admin/sessions", "/api/v1/admin/audit", "/api/v1/admin/settings"} {
		as(s, "").json(t, "GET", path, nil).wants(t, 401, "a stranger: %s", path)
		as(s, token).json(t, "GET", path, nil).wants(t, 403, "a helper: %s", path)
	}
}

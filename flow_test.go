package keystone_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

// TestFlowNext is the sign-in policy (OpenID Connect Core section 3.1.2). Each
// row says what a request asks, what has happened in the flow, what is true now,
// and what comes next. Jane asks openid and email; her session is an hour old.
func TestFlowNext(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	hourAgo, minuteAgo := now.Add(-time.Hour), now.Add(-time.Minute)
	const (
		signIn  = "sign in"
		choose  = "choose"
		consent = "consent"
		done    = "done"
		create  = "register"
	)
	session := func(user string) *keystone.Session { return &keystone.Session{ID: "s-" + user, UserID: user} }
	type world = keystone.Facts
	nobody := world{}
	jane := world{Session: session("jane"), AuthTime: hourAgo, Accounts: 1}
	janeHere := world{Session: session("jane"), AuthTime: minuteAgo, Accounts: 1}
	john := world{Session: session("john"), AuthTime: hourAgo, Accounts: 2}
	two := world{Accounts: 2}
	allowedAt := func(w world, audience string, scopes ...string) world {
		w.Allowed = w.Allowed.With(scopes, []string{audience})
		return w
	}
	allowed := func(w world, scopes ...string) world { return allowedAt(w, "", scopes...) }
	knows := func(w world) world { return allowed(w, "email", "openid") }
	ofUs := func(w world) world { w.Trusted = true; return w }
	anew := func(w world) world { w.Anew = true; return w }
	for_ := func(w world, audiences ...string) world { w.Audiences = audiences; return w }
	offers := func(w world, scopes ...string) world { w.Offered = scopes; return w }
	age := func(seconds int64) *int64 { return &seconds }
	prompt := func(p ...string) keystone.AuthRequest { return keystone.AuthRequest{Prompt: p} }
	none, login, select_, again := prompt("none"), prompt("login"), prompt("select_account"), prompt("consent")
	hint := func(sub string, p ...string) keystone.AuthRequest {
		return keystone.AuthRequest{Subject: sub, Prompt: p}
	}
	plain := keystone.AuthRequest{}
	fresh := keystone.Flow{}
	proved := keystone.Flow{SignedIn: minuteAgo, UserID: "jane"}
	chosen := keystone.Flow{Chosen: true, UserID: "jane"}
	by := func(user string, f keystone.Flow) keystone.Flow { f.DecidedBy = user; return f }

	for _, test := range []struct {
		what    string
		request keystone.AuthRequest
		flow    keystone.Flow
		world   world
		want    string
	}{
		{"nobody is here", plain, fresh, nobody, signIn},
		{"somebody is, and never allowed this client", plain, fresh, jane, consent},
		{"somebody who did", plain, fresh, knows(jane), done},
		{"allowed the same in detail before", keystone.AuthRequest{Details: keystone.Details{json.RawMessage(`{"type":"x"}`)}}, fresh, knows(jane), consent},
		{"asked in detail by us", keystone.AuthRequest{Details: keystone.Details{json.RawMessage(`{"type":"x"}`)}}, fresh, ofUs(knows(jane)), consent},
		{"allowed in detail now", keystone.AuthRequest{Details: keystone.Details{json.RawMessage(`{"type":"x"}`)}}, by("jane", fresh), knows(jane), done},
		{"allowed less than is asked now", plain, fresh, allowed(jane, "openid"), consent},
		{"allowed more than is asked now", plain, fresh, allowed(jane, "email", "openid", "profile"), done},
		{"a scope that the user lacks is not offered, so not asked about for ever", plain, fresh, offers(allowed(jane, "openid"), "openid"), done},
		{"nothing is asked for: knowing of the account is something too", plain, fresh, offers(jane), consent},
		{"nothing is asked for, again", plain, fresh, offers(allowed(jane)), done},
		{"allowed the same for Keystone itself before, and now for a resource", plain, fresh, for_(knows(jane), "https://bank.example"), consent},
		{"and before for another resource", plain, fresh, for_(allowedAt(knows(jane), "https://calendar.example"), "https://bank.example"), consent},
		{"and before for it too", plain, fresh, for_(allowedAt(allowedAt(knows(jane), "https://bank.example"), "https://calendar.example"), "https://bank.example"), done},
		{"the same for the other resource alone, and who one is for both", plain, fresh,
			offers(for_(allowedAt(allowedAt(knows(jane), "https://bank.example", "pay:read"), "https://calendar.example", "pay:send"), "https://bank.example"), "openid", "pay:send"), consent},
		{"each for its resource, and now one for both", plain, fresh,
			offers(for_(allowedAt(allowedAt(jane, "https://bank.example", "pay:read", "pay:send"), "https://calendar.example", "pay:send"), "https://bank.example", "https://calendar.example"), "pay:read"), consent},
		{"for both", plain, fresh,
			offers(for_(allowedAt(allowedAt(jane, "https://bank.example", "pay:read", "pay:send"), "https://calendar.example", "pay:send"), "https://bank.example", "https://calendar.example"), "pay:send"), done},
		{"for a resource, and now for Keystone itself", plain, fresh, offers(allowedAt(jane, "https://bank.example", "openid", "users:read"), "users:read"), consent},
		{"for a resource, and now for it beside Keystone itself", plain, fresh,
			offers(for_(allowedAt(jane, "https://bank.example", "users:read"), "", "https://bank.example"), "users:read"), consent},
		{"who one is, with a resource, and now without", plain, fresh, allowedAt(jane, "https://bank.example", "email", "openid"), done},
		{"nothing is asked for, of Keystone, after a resource was allowed", plain, fresh, offers(allowedAt(jane, "https://bank.example", "pay:read")), consent},
		{"allowed now for a resource", plain, by("jane", fresh), for_(knows(jane), "https://bank.example"), done},
		{"first-party, for a resource", plain, fresh, for_(ofUs(jane), "https://bank.example"), done},
		{"none: allowed before for another resource", none, fresh, for_(knows(jane), "https://bank.example"), "consent_required"},
		{"first-party", plain, fresh, ofUs(jane), done},
		{"first-party, nobody is here", plain, fresh, ofUs(nobody), signIn},

		{"asked anew each time, whatever was allowed", plain, fresh, anew(knows(jane)), consent},
		{"asked anew, and allowed here", plain, by("jane", fresh), anew(knows(jane)), done},
		{"none: asked anew each time", none, fresh, anew(knows(jane)), "consent_required"},

		{"none: nobody", none, fresh, nobody, "login_required"},
		{"none: several accounts, none named", none, fresh, two, "login_required"},
		{"none: no consent", none, fresh, jane, "consent_required"},
		{"none: all there", none, fresh, knows(jane), done},
		{"none: first-party", none, fresh, ofUs(jane), done},

		{"login: a living session is not enough", login, fresh, knows(jane), signIn},
		{"login: proved in this flow", login, proved, knows(janeHere), done},
		{"login: proved in this flow, consent missing", login, proved, janeHere, consent},
		{"login: choosing an account proves nothing", login, chosen, knows(jane), signIn},
		{"login: John proved himself, then Jane's older session was chosen", login, keystone.Flow{SignedIn: minuteAgo, Chosen: true, UserID: "jane"}, knows(jane), signIn},

		{"consent: remembered, asked again", again, fresh, knows(jane), consent},
		{"consent: given here", again, by("jane", fresh), knows(jane), done},
		{"consent: even first-party", again, fresh, ofUs(jane), consent},
		{"consent given here, scopes missing from memory by now", plain, by("jane", fresh), jane, done},
		{"consent given by Jane, then John's account was chosen", plain, by("jane", keystone.Flow{Chosen: true, UserID: "john"}), john, consent},
		{"refused", plain, keystone.Flow{Denied: true}, knows(jane), "access_denied"},
		{"refused, and the session has died", plain, keystone.Flow{Denied: true}, nobody, "access_denied"},

		{"select_account: one account is a choice too", select_, fresh, knows(jane), choose},
		{"select_account: chosen", select_, chosen, knows(jane), done},
		{"select_account: signed in instead", select_, proved, knows(janeHere), done},
		{"select_account: nobody to choose", select_, fresh, nobody, signIn},
		{"select_account and login", prompt("login", "select_account"), fresh, knows(jane), choose},
		{"select_account and login, chosen", prompt("login", "select_account"), chosen, knows(jane), signIn},
		{"create: nobody is here", prompt("create"), fresh, nobody, create},
		{"create: somebody is, who makes another account", prompt("create"), fresh, knows(jane), create},
		{"create: several accounts", prompt("create"), fresh, two, create},
		{"create: choosing an account makes none", prompt("create"), chosen, knows(jane), create},
		{"create: the account was made here, or its owner signed in instead", prompt("create"), proved, knows(janeHere), done},
		{"create: made here, consent missing", prompt("create"), proved, janeHere, consent},
		{"create and login, made here", prompt("create", "login"), proved, knows(janeHere), done},
		{"create, but another person is meant", hint("john", "create"), proved, knows(janeHere), signIn},
		{"create, refused", prompt("create"), keystone.Flow{Denied: true}, nobody, "access_denied"},
		{"several accounts, none named", plain, fresh, two, choose},
		{"several accounts, one named by the flow", plain, chosen, john, consent},
		{"the chosen session has died: its user proves it, others are not offered", plain, chosen, two, signIn},
		{"the session that consented has died", plain, by("jane", chosen), nobody, signIn},

		{"max_age: young enough", keystone.AuthRequest{MaxAge: age(3600)}, fresh, knows(jane), done},
		{"max_age: too old", keystone.AuthRequest{MaxAge: age(3599)}, fresh, knows(jane), signIn},
		{"max_age: too old, no page", keystone.AuthRequest{MaxAge: age(1), Prompt: []string{"none"}}, fresh, knows(jane), "login_required"},
		{"max_age 0 is login", keystone.AuthRequest{MaxAge: age(0)}, fresh, knows(janeHere), signIn},
		{"max_age 0: proved in this flow, however long consent took", keystone.AuthRequest{MaxAge: age(0)}, proved, knows(janeHere), done},
		{"max_age: John proved himself, Jane's old session was chosen", keystone.AuthRequest{MaxAge: age(60)}, proved, knows(jane), signIn},

		{"hint: the same person", hint("jane"), fresh, knows(jane), done},
		{"hint: somebody else", hint("john"), fresh, knows(jane), signIn},
		{"hint: somebody else, no page", hint("john", "none"), fresh, knows(jane), "login_required"},
		{"hint: the wrong person proved themselves", hint("john"), proved, knows(janeHere), signIn},
		{"hint: the wrong account was chosen", hint("john"), chosen, knows(jane), signIn},

		{"device: asked though signed in", keystone.AuthRequest{Pending: "p"}, fresh, knows(jane), consent},
		{"device: asked though allowed before, by a first-party client too", keystone.AuthRequest{Pending: "p"}, fresh, ofUs(knows(jane)), consent},
		{"device: answered", keystone.AuthRequest{Pending: "p"}, by("jane", fresh), knows(jane), done},
		{"device: answered by somebody else", keystone.AuthRequest{Pending: "p"}, by("john", fresh), knows(jane), consent},
		{"acr: essential, out of reach", keystone.AuthRequest{ACRValues: []string{"phr"}, ACREssential: true}, fresh, knows(jane), "unmet_authentication_requirements"},
		{"acr: essential, reached", keystone.AuthRequest{ACRValues: []string{"phr", keystone.ACRPassword}, ACREssential: true}, fresh, knows(jane), done},
		{"acr: wished for only", keystone.AuthRequest{ACRValues: []string{"phr"}}, fresh, knows(jane), done},
		{"acr: essential, but first somebody signs in", keystone.AuthRequest{ACRValues: []string{"phr"}, ACREssential: true}, fresh, nobody, signIn},
	} {
		f, w := test.flow, test.world
		f.Request, w.Now = test.request, now
		if w.Audiences == nil {
			w.Audiences = []string{""}
		}
		if w.Session != nil {
			w.ACR = keystone.ACRPassword
			if w.Offered == nil && test.what[:7] != "nothing" {
				w.Offered = []string{"email", "openid"}
			}
		}
		step := f.Next(w)
		got := map[keystone.StepKind]string{keystone.StepSignIn: signIn, keystone.StepChoose: choose, keystone.StepRegister: create, keystone.StepConsent: consent,
			keystone.StepDone: done, keystone.StepRefuse: step.Code}[step.Kind]
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
	}
}

// TestFlowAnswered: an answer has what was offered and allowed, and by whom.
func TestFlowAnswered(t *testing.T) {
	jane := keystone.Facts{Session: &keystone.Session{UserID: "jane"}, Offered: []string{"email", "openid"}, Audiences: []string{""}, Allowed: keystone.Allowed{"": {"openid", "profile"}}}
	trusted := jane
	trusted.Trusted = true
	for _, test := range []struct {
		what  string
		flow  keystone.Flow
		world keystone.Facts
		want  []string
	}{
		{"remembered", keystone.Flow{}, jane, []string{"openid"}},
		{"allowed here", keystone.Flow{DecidedBy: "jane", Granted: []string{"admin", "email"}}, jane, []string{"email"}},
		{"allowed by somebody else", keystone.Flow{DecidedBy: "john", Granted: []string{"email"}}, jane, []string{"openid"}},
		{"first-party", keystone.Flow{}, trusted, []string{"email", "openid"}},
		{"first-party, asked all the same", keystone.Flow{DecidedBy: "jane", Granted: []string{"openid"}}, trusted, []string{"openid"}},
	} {
		if got := test.flow.Answered(test.world); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
	}
}

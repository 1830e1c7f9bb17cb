package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/httpio"
)

const (
	canary    = "CANARYCANARYCANARYCANARY"
	canaryJWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJDQU5BUlkifQ.CANARYCANARYCANARYCANARYCANARYCANARY"
)

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"plain text stays":                                "plain text stays",
		"GET /api/v1/users/{id} took 5ms: ok":             "GET /api/v1/users/{id} took 5ms: ok",
		"no such ks_db or eyJ":                            "no such ks_db or eyJ",
		"token ks_rt_" + canary + " reused":               "token [redacted] reused",
		"ks_at_" + canary:                                 "[redacted]",
		"(ks_cs_" + canary + ")":                          "([redacted])",
		"/setup?token=ks_ot_" + canary:                    "/setup?token=[redacted]",
		"bearer " + canaryJWT + ".":                       "bearer [redacted]",
		"password=" + canary + "&x=1":                     "password=[redacted]&x=1",
		"client_secret=" + canary:                         "client_secret=[redacted]",
		"new_password: " + canary + ", next":              "new_password: [redacted], next",
		`{"password":"` + canary + ` with spaces","a":1}`: `{"password":"[redacted]","a":1}`,
		`{\"refresh_token\":\"` + canary + `\"}`:          `{\"refresh_token\":\"[redacted]"}`,
		"Authorization: Bearer " + canary:                 "Authorization: Bearer [redacted]",
		"Authorization: Basic " + canary + "==":           "Authorization: Basic [redacted]",
		"Cookie: a=" + canary + "; b":                     "Cookie: [redacted]; b",
		"dial postgres://ks:" + canary + "@db/x failed":   "dial postgres://ks:[redacted]@db/x failed",
		"redis://:" + canary + "@cache:6379/0":            "redis://:[redacted]@cache:6379/0",
		"https://id.example/path: no password":            "https://id.example/path: no password",
		"two ks_rt_" + canary + " and ks_at_" + canary:    "two [redacted] and [redacted]",
		"PASSWORD=" + canary:                              "PASSWORD=[redacted]",
		"code_verifier=" + canary:                         "code_verifier=[redacted]",
		"client_assertion=" + canary:                      "client_assertion=[redacted]",
		"the password is wrong":                           "the password is wrong",
		"İİİİİİİİİİİİ password=" + canary + " y":          "İİİİİİİİİİİİ password=[redacted] y", // longer in lower case
		"ẞẞẞẞẞẞẞẞẞẞẞẞ Password=" + canary + " y":          "ẞẞẞẞẞẞẞẞẞẞẞẞ Password=[redacted] y", // shorter
		"secret: ": "secret: ",
	} {
		if got := Redact(text); got != want && !(strings.Contains(text, `\"`) && !strings.Contains(got, canary)) {
			t.Errorf("%q\n became %q\n want   %q", text, got, want)
		}
	}
}

type stringer struct{ s string }

func (s stringer) String() string { return s.s }

// TestP7Canaries: whatever way a secret comes to the log, it does not arrive.
func TestP7Canaries(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		l := &logs{}
		log := NewLogger(l, slog.LevelDebug, format)
		secretValue := canary + "-1"
		log.Info("password="+secretValue, "password", secretValue, "client_secret", secretValue, "Authorization", "Bearer "+secretValue,
			"cookie", secretValue, "refresh_token", secretValue, "id_token_hint", secretValue, "mfa_token", secretValue, "private_key", secretValue,
			"client_assertion", []string{secretValue}, "passwords", "x")
		log.Info("values", "a", "ks_rt_"+secretValue, "b", canaryJWT, "c", errors.New("dial postgres://u:"+secretValue+"@h"),
			"d", fmt.Errorf("wrapped: %w", errors.New("token=ks_at_"+secretValue)), "e", stringer{"ks_cs_" + secretValue}, "f", []string{"ks_ot_" + secretValue},
			"g", map[string]string{"password": secretValue}, "h", struct{ ClientSecret string }{secretValue}, "i", url.Values{"password": {secretValue}}, "j", func() {})
		log.With("secret", secretValue).WithGroup("g").Info("grouped", "token", secretValue, slog.Group("deep", "password", secretValue))
		log.Info("kept", "token_type", "Bearer", "tokens", 5, "password_ok", true, "secret_age", time.Minute, "status", 200, "empty_secret", "", "list", []string{"a"}, "any", map[string]int{"n": 1})
		text := l.String()
		if strings.Contains(text, canary) || strings.Contains(text, "eyJzdWIi") {
			t.Errorf("%s: a canary is in the log:\n%s", format, text)
		}
		for _, want := range []string{"Bearer", "200", "redacted"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %s is missing:\n%s", format, want, text)
			}
		}
	}
}

// TestP7Requests: secrets in every part of a request, and the log that tells of
// it.
func TestP7Requests(t *testing.T) {
	s, l := boot(t, off, httpio.Plain("POST", "/t/{id}", httpio.Bearer, httpio.LimitAPI, "x", echo))
	form := "Content-Type: application/x-www-form-urlencoded"
	js := "Content-Type: application/json"
	send(s, "POST", "/t/"+canary+"?x="+canary, "password="+canary, form, "Authorization: Bearer ks_at_"+canary, "Cookie: s="+canary, "User-Agent: "+canary, "Referer: https://x/?token="+canary)
	send(s, "POST", "/oauth2/token?client_secret="+canary, "", form)
	send(s, "POST", "/oauth2/token", "grant_type=client_credentials&client_id="+canary+"&client_secret="+canary, form)
	send(s, "POST", "/oauth2/token", "grant_type=refresh_token&client_id=keystone&refresh_token=ks_rt_"+canary, form)
	send(s, "POST", "/oauth2/token", "grant_type="+canary+"&client_id=keystone", form)
	send(s, "POST", "/oauth2/introspect", "token="+canaryJWT, form, "Authorization: Basic "+canary)
	send(s, "POST", "/oauth2/revoke", "token="+canaryJWT+"&client_id=keystone", form)
	send(s, "POST", "/api/v1/auth/login", `{"username":"`+canary+`","password":"`+canary+`"}`, js)
	send(s, "POST", "/api/v1/auth/login", `{"username":"`+canary+`","password":"`+canary, js)
	send(s, "POST", "/api/v1/auth/refresh", `{"refresh_token":"ks_rt_`+canary+`"}`, js)
	send(s, "GET", "/"+canary, "", "Origin: https://"+canary)
	send(s, canary, "/health", "", "X-Request-Id: "+strings.ToLower(canary[:8]))
	text := l.String()
	if strings.Contains(text, canary) || strings.Contains(text, "eyJzdWIi") {
		for line := range strings.SplitSeq(text, "\n") {
			if strings.Contains(line, "CANARY") {
				t.Errorf("a canary is in the log: %s", line)
			}
		}
	}
	entries := l.lines(t, "request")
	if len(entries) != 12 {
		t.Fatalf("%d lines for 12 requests:\n%s", len(entries), text)
	}
	first := entries[0]
	if first["route"] != "/t/{id}" || first["method"] != "POST" || first["status"] != 401.0 || first["source"] != "192.0.2.1" || first["request_id"] == "" || first["duration_us"] == nil || first["refused"] != "unauthenticated" {
		t.Errorf("%v", first)
	}
	if last := entries[11]; last["method"] != "other" || last["request_id"] != "canaryca" {
		t.Errorf("%v", last)
	}
	m := send(s.Management(), "GET", "/metrics", "")
	if m.Code != 200 || strings.Contains(m.Body.String(), "CANARY") {
		t.Errorf("metrics: %d, or a canary in them", m.Code)
	}
}

func TestAccessLogActor(t *testing.T) {
	s, l := boot(t, off, httpio.Plain("GET", "/t/bearer", httpio.Bearer, httpio.LimitAPI, "x", echo),
		httpio.Plain("GET", "/t/fault", httpio.Public, httpio.LimitNone, "x", func(http.ResponseWriter, *http.Request) error { return errors.New("disk full, password=" + canary) }))
	send(s, "GET", "/t/bearer", "", "Authorization: Bearer user")
	send(s, "GET", "/t/fault", "")
	entries := l.lines(t, "request")
	if e := entries[0]; e["actor"] != actors["user"].ID || e["actor_kind"] != "user" || e["client"] != "keystone" || e["bytes"].(float64) == 0 || e["level"] != "INFO" {
		t.Errorf("%v", e)
	}
	if e := entries[1]; e["level"] != "ERROR" || e["error"] != "disk full, password=[redacted]" {
		t.Errorf("%v", e)
	}
}

// FuzzRedact: no text makes it panic, and a token of ours never survives.
func FuzzRedact(f *testing.F) {
	f.Add("password=", " x")
	f.Add(`{"token":"`, `"}`)
	f.Add("://u:", "@h")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before, canary) || strings.Contains(after, canary) || before != "" && wordByte(before[len(before)-1]) {
			return
		}
		if got := Redact(before + "ks_rt_" + canary + after); strings.Contains(got, canary) {
			t.Fatalf("%q", got)
		}
	})
}

package web_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/web"
)

const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}`

// pages is one of each, filled with text that wants out (P1).
var pages = map[string]any{
	"setup": web.Form{Action: "setup", Hidden: map[string]string{"token": evil}, Problems: []string{evil}, Submit: evil, Fields: []web.Field{
		{Name: "username", Label: evil, Type: "text", Value: evil, Autocomplete: "username", MaxLength: 50, Problem: evil, Hints: []string{evil}},
		{Name: "password", Label: "Password", Type: "password", Value: "canary-password", Autocomplete: "new-password", MaxLength: 1024, Focus: true},
	}},
	"setup_done": map[string]string{"Username": evil, "SignIn": evil},
	"reset":      web.Form{Action: "reset", Submit: "Go", Fields: []web.Field{{Name: "password", Label: "Password", Type: "password"}}},
	"sign_in": map[string]any{"Client": evil, "Problems": []string{evil}, "Action": "login", "Submit": evil, "Hidden": map[string]string{"flow": evil}, "Fields": []web.Field{
		{Name: "login", Label: evil, Type: "text", Value: evil, MaxLength: 254}, {Name: "password", Label: "Password", Type: "password", Value: "canary-password"},
	}, "SubmitID": "", "Register": evil, "Why": web.Say(evil)},
	"register": map[string]any{"Client": evil, "Flow": evil, "Problems": []string{evil}, "Action": "register", "Submit": evil, "Hidden": map[string]string{"flow": evil}, "Fields": []web.Field{
		{Name: "username", Label: evil, Type: "text", Value: evil, MaxLength: 50, Problem: evil}, {Name: "password", Label: "Password", Type: "password", Value: "canary-password", Hints: []string{evil}},
	}, "SubmitID": ""},
	"choose": map[string]any{"Flow": evil, "Client": evil, "Accounts": []map[string]string{{"Session": evil, "Username": evil}, {"Session": evil, "Username": evil}}},
	"device": web.Form{Action: "device", Problems: []string{evil}, Submit: "Continue", Fields: []web.Field{{Name: "user-code", Label: "Code", Type: "text", Value: evil, MaxLength: 20, Hints: []string{evil}}}},
	"consent": map[string]any{"Flow": evil, "Elsewhere": map[string]any{"Device": true, "Source": evil, "Asked": evil, "Until": evil, "Message": evil}, "Client": evil, "Username": evil, "Session": evil, "Scope": evil, "Audience": evil, "Audiences": []string{evil}, "ReturnTo": evil, "Details": []map[string]any{{"Text": evil, "Lines": []map[string]string{{"Label": evil, "Value": evil}}}},
		"Scopes": []map[string]string{{"Name": evil, "Description": evil}, {"Name": evil, "Description": ""}}},
	"logout": map[string]any{"All": "all", "Hidden": map[string]string{"state": evil}, "Accounts": []map[string]string{{"Session": evil, "Username": evil}, {"Session": evil, "Username": evil}}},
	"requests": map[string]any{"Accounts": evil, "Requests": []map[string]string{
		{"ID": evil, "Client": evil, "Username": evil, "Message": evil, "Asked": evil, "Until": evil}, {"ID": evil, "Client": evil, "Username": evil, "Message": "", "Asked": evil, "Until": evil}}},
	"logged_out": map[string]any{"Lines": []string{evil}, "Back": evil, "Host": evil, "Frames": []string{evil}},
	"home":       nil,
	"apps": map[string]any{"Accounts": []map[string]any{{"Username": evil, "Session": evil, "Apps": nil}, {"Username": evil, "Session": evil, "Apps": []map[string]any{
		{"ID": evil, "Name": evil, "Since": evil, "Scopes": []string{evil}, "Audiences": []string{evil, evil}}, {"ID": evil, "Name": evil, "Since": evil}}}}},
	"leave":     map[string]any{"Problem": evil, "Client": evil, "Host": evil, "To": evil, "Action": ""},
	"form_post": web.Form{Action: "cb", Submit: "Continue", Hidden: map[string]string{"state": evil, "code": evil}},
	"message":   map[string]any{"Title": evil, "Lines": []string{evil}, "Command": evil},

	"check_session": nil,
}

func request() *http.Request { return httptest.NewRequest(http.MethodGet, "/", nil) }

// scripts are the pages with one, which is a file of ours.
var scripts = map[string]string{"form_post": "submit", "check_session": "check_session"}

func newPages(t *testing.T, name string) *web.Pages {
	t.Helper()
	p, err := web.New(web.Options{AppName: name})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryPage(t *testing.T) {
	p := newPages(t, evil)
	templates, err := filepath.Glob("templates/*.html")
	if err != nil || len(templates) != len(pages)+1 {
		t.Fatalf("%d templates, %d pages in this test, and the layout: %v", len(templates), len(pages), err)
	}
	for name, data := range pages {
		w := httptest.NewRecorder()
		if err := p.Render(w, request(), http.StatusTeapot, name, web.Page{Failed: true, Data: data}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body := w.Body.String()
		if w.Code != http.StatusTeapot || w.Header().Get("Content-Length") != strconv.Itoa(len(body)) {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		for header, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Cache-Control": "no-store",
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s: %q", name, header, got)
			}
		}
		lower := strings.ToLower(body)
		if file, has := scripts[name]; has {
			script := regexp.MustCompile(`<script src="static/` + file + `\.js\?v=[0-9a-f]+" defer></script>`)
			if len(script.FindAllString(lower, -1)) != 1 {
				t.Errorf("%s has not its one script:\n%s", name, body)
			}
			lower = script.ReplaceAllString(lower, "")
		}
		for _, bad := range []string{"<script", "<img", "<style", " style=", "javascript:", "canary-password", "http://", "https://", "zgotmplz"} {
			if strings.Contains(lower, bad) {
				t.Errorf("%s contains %q", name, bad)
			}
		}
		bare := regexp.MustCompile(`"[^"]*"`).ReplaceAllString(lower, `""`)
		if found := regexp.MustCompile(`<[^>]* on[a-z]+=`).FindString(bare); found != "" {
			t.Errorf("%s: inline handler %q", name, found)
		}
		if !strings.Contains(body, `<html lang="en" dir="ltr">`) || strings.Count(body, "<h1>") != 1 || strings.Count(body, "<main>") != 1 || !strings.Contains(body, "<title>Error: ") {
			t.Errorf("%s: language, one main heading, one main part and the title are missing:\n%s", name, body)
		}
		checkIDs(t, name, body)
	}
	for name, render := range map[string]func(http.ResponseWriter, *http.Request, int, string, web.Page) error{"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'": p.RenderFlow,
		"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; script-src 'self'": p.RenderTo} {
		w := httptest.NewRecorder()
		if err := render(w, request(), 200, "logout", web.Page{Data: pages["logout"]}); err != nil || w.Header().Get("Content-Security-Policy") != name {
			t.Errorf("%v: %s", err, w.Header().Get("Content-Security-Policy"))
		}
	}
	if err := p.Render(httptest.NewRecorder(), request(), 200, "nothing", web.Page{}); err == nil {
		t.Error("an unknown page was rendered")
	}
	w := httptest.NewRecorder()
	if err := p.Render(w, request(), 200, "message", web.Page{Data: 7}); err == nil || w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Error("half a page was sent:", w.Body)
	}
}

// checkIDs holds that ids are unique and that what refers to one finds it.
func checkIDs(t *testing.T, name, body string) {
	t.Helper()
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if ids[m[1]] {
			t.Errorf("%s: id %s occurs twice", name, m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(` (?:for|aria-describedby)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		for _, id := range strings.Fields(m[1]) {
			if !ids[id] {
				t.Errorf("%s: nothing has the id %s", name, id)
			}
		}
	}
}

func TestFormFill(t *testing.T) {
	f := web.Form{Fields: []web.Field{{Name: "a"}, {Name: "b"}}}
	f.Fill("Look.", map[string]string{"b": "Bad.", "c": "Worse."})
	if !slices.Equal(f.Problems, []string{"Look.", "Worse."}) || f.Fields[1].Problem != "Bad." || !f.Fields[1].Focus || f.Fields[0].Focus {
		t.Errorf("%+v", f)
	}
	f = web.Form{Fields: []web.Field{{Name: "a"}, {Name: "b"}}}
	if f.Fill("", nil); !f.Fields[0].Focus || f.Problems != nil {
		t.Errorf("%+v", f)
	}
}

func TestAssets(t *testing.T) {
	p := newPages(t, "Keystone")
	w := httptest.NewRecorder()
	if err := p.Render(w, request(), 200, "message", web.Page{Data: map[string]any{"Title": "x", "Lines": []string{}, "Command": ""}}); err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`<link [^>]*href="static/([^"?]+)(\?v=[0-9a-f]+)"`).FindAllStringSubmatch(w.Body.String(), -1)
	if len(links) != 2 {
		t.Fatal(w.Body)
	}
	for _, link := range links {
		fresh, other := http.Header{}, http.Header{}
		if body, ok := p.Asset(fresh, link[1], link[2][1:]); !ok || len(body) == 0 || !strings.Contains(fresh.Get("Cache-Control"), "immutable") || fresh.Get("X-Content-Type-Options") != "nosniff" || fresh.Get("ETag") == "" {
			t.Errorf("%s: %v", link[1], fresh)
		}
		if p.Asset(other, link[1], "v=old"); strings.Contains(other.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: an old address is kept for ever", link[1])
		}
	}
	for _, name := range []string{"", "nothing.css", "../web.go", "../templates/setup.html", "static"} {
		if body, ok := p.Asset(http.Header{}, name, ""); ok || body != nil {
			t.Errorf("%q was served", name)
		}
	}
}

// TestContrast computes WCAG 2.2 sections 1.4.3 (text, 4.5) and 1.4.11 (edges of
// controls, 3) for both colour schemes.
func TestContrast(t *testing.T) {
	css, err := os.ReadFile("static/keystone.css")
	if err != nil {
		t.Fatal(err)
	}
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(css), -1)
	if len(schemes) != 2 {
		t.Fatal("want a light and a dark scheme, have", len(schemes))
	}
	for i, scheme := range schemes {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(scheme[1], -1) {
			rgb, err := strconv.ParseUint(m[2], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			colour[m[1]] = luminance(rgb)
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"text", "page", 4.5}, {"text", "card", 4.5}, {"text", "code", 4.5}, {"muted", "page", 4.5}, {"muted", "card", 4.5},
			{"accent", "card", 4.5}, {"on-accent", "accent", 4.5}, {"problem", "card", 4.5}, {"line", "card", 3},
		} {
			front, back := colour[pair.front], colour[pair.back]
			if ratio := (max(front, back) + 0.05) / (min(front, back) + 0.05); ratio < pair.least {
				t.Errorf("scheme %d: %s on %s: %.2f, want %.1f", i, pair.front, pair.back, ratio, pair.least)
			}
		}
	}
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(rgb uint64) float64 {
	linear := func(c uint64) float64 {
		v := float64(c&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8) + 0.0722*linear(rgb)
}

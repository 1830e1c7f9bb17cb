package web_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/web"
)

// texts reads one language.
func texts(t *testing.T, file string) (list map[string]string) {
	t.Helper()
	body, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	if err != nil {
		t.Fatal(file, err)
	}
	if n := len(regexp.MustCompile(`(?m)^  "`).FindAll(body, -1)); n != len(list) {
		t.Errorf("%s: %d lines, %d texts: a key occurs twice", file, n, len(list))
	}
	return list
}

// isKey tells keys from refusals, which are their own keys.
var isKey = regexp.MustCompile(`^[a-z_]+\.[a-z_]+$`)

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// TestTextsComplete: every language has every text, with the same values in it.
func TestTextsComplete(t *testing.T) {
	english := texts(t, "text/en.json")
	files, err := filepath.Glob("text/*.json")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	values := func(text string) []string { return slices.Sorted(slices.Values(placeholder.FindAllString(text, -1))) }
	for _, file := range files {
		list := texts(t, file)
		for key, text := range english {
			if !isKey.MatchString(key) {
				t.Errorf("text/en.json: %q is no key", key)
			}
			if list[key] == "" || !slices.Equal(values(text), values(list[key])) {
				t.Errorf("%s: %s is %q, want what says %q", file, key, list[key], text)
			}
		}
		for key, text := range list {
			switch {
			case isKey.MatchString(key) && english[key] == "":
				t.Errorf("%s: %s is no key of text/en.json", file, key)
			case !isKey.MatchString(key) && strings.Count(key, "#") != strings.Count(text, "#"):
				t.Errorf("%s: %q has other numbers in it", file, key)
			case strings.ContainsAny(text, "<>") || strings.TrimSpace(text) != text:
				t.Errorf("%s: %q is not a plain text", file, text)
			}
		}
	}
}

// TestTextsUsed: templates and slices name texts that there are, all of them, and
// no template says anything by itself.
func TestTextsUsed(t *testing.T) {
	english, used := texts(t, "text/en.json"), map[string]bool{}
	templates, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	code, err := filepath.Glob("../internal/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`"([a-z_]+\.[a-z_]+)"`)
	named := regexp.MustCompile(`(?:\bT|Say\(|Title:|Label:|Submit:|passwordField\()\s*"([^"]*)"`)
	for _, file := range slices.Concat(templates, code, []string{"flow.go"}) {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/admin/") || strings.Contains(file, "/store/") {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(string(body), -1) {
			used[m[1]] = true
		}
		if strings.HasPrefix(file, "../") && !strings.Contains(string(body), `keystone/web"`) {
			continue
		}
		for _, m := range named.FindAllStringSubmatch(string(body), -1) {
			if english[m[1]] == "" {
				t.Errorf("%s: there is no text %q", file, m[1])
			}
		}
	}
	for key := range english {
		if !used[key] {
			t.Errorf("nothing shows %s", key)
		}
	}

	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	tag := regexp.MustCompile(`(?s)<[^>]*>`)
	spoken := regexp.MustCompile(` (?:title|alt|placeholder|aria-label|value|content)="([^"]*)"`)
	letter := regexp.MustCompile(`\p{L}`)
	fixed := []string{"openapi.json", "keystone client create --name NAME --kind service", "allow", "deny", "width=device-width, initial-scale=1", "noindex", "light dark"}
	for _, file := range templates {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bare := action.ReplaceAllString(string(body), "")
		prose := strings.Split(tag.ReplaceAllString(bare, "\n"), "\n")
		for _, m := range spoken.FindAllStringSubmatch(bare, -1) {
			prose = append(prose, m[1])
		}
		for _, line := range prose {
			if line = strings.TrimSpace(line); letter.MatchString(line) && !slices.Contains(fixed, line) {
				t.Errorf("%s says %q by itself: put it into text/", file, line)
			}
		}
	}
}

// shown renders a page for a request and returns its texts.
func shown(t *testing.T, p *web.Pages, query, accept string, page web.Page) (lang, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/x"+query, nil)
	if accept != "" {
		r.Header.Set("Accept-Language", accept)
	}
	w := httptest.NewRecorder()
	if err := p.Render(w, r, http.StatusOK, "message", page); err != nil {
		t.Fatal(err)
	}
	lang = w.Header().Get("Content-Language")
	if !strings.Contains(w.Body.String(), `<html lang="`+lang+`" dir="ltr">`) || w.Header().Get("Vary") != "Accept-Language" {
		t.Errorf("%v %.100s", w.Header(), w.Body)
	}
	return lang, w.Body.String()
}

func TestLanguageOfPage(t *testing.T) {
	english := newPages(t, "Keystone")
	german, err := web.New(web.Options{AppName: "Keystone", Language: "de"})
	if err != nil {
		t.Fatal(err)
	}
	bomb := strings.Repeat("de-DE-1996,", 100_000)
	for _, c := range []struct {
		locales, query, accept, want string
		p                            *web.Pages
	}{
		{"", "", "", "en", english},
		{"", "", "", "de", german},
		{"", "", "de", "de", english},
		{"", "", "de-AT,de;q=0.9,en;q=0.8", "de", english},
		{"", "", "en-GB,en;q=0.9,de;q=0.8", "en", german},
		{"", "", "en;q=0.1, de;q=0.9", "de", english},
		{"", "", "ja, ko;q=0.5", "en", english},
		{"", "", "ja, ko;q=0.5", "de", german},
		{"", "", "ja, de;q=0.1", "de", english},
		{"", "", "*", "en", english},
		{"", "", "gsw", "de", english}, // Swiss German reads German
		{"", "", "x-de", "en", english},
		{"de", "", "en", "de", english},
		{"ja de-CH en", "", "en", "de", english},
		{"ja ko", "", "de", "de", english}, // none of these: what the browser says
		{"", "?ui_locales=de", "en", "de", english},
		{"", "?ui_locales=ja+de", "en", "de", english},
		{"en", "?ui_locales=de", "de", "en", english},
		{"", "?ui_locales=de&ui_locales=en", "", "de", english},
		{"", "?ui_locales=%ff%00", "", "en", english},
		{"", "?ui_locales=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "", "en", english},
		{`"><script>alert(1)</script> de`, "", "", "de", english},
		{"../../etc/passwd text/de.json", "", "", "en", english},
		{"", "", `"><script>`, "en", english},
		{"", "", bomb, "de", english},
		{"", "", strings.Repeat("-", 100_000), "en", english},
		{"", "", strings.Repeat("a-", 100_000) + ",de", "en", english},
		{strings.Repeat("x ", 100_000) + "de", "", "", "en", english},
		{"de " + strings.Repeat("x ", 100_000), "", "", "de", english},
	} {
		lang, body := shown(t, c.p, c.query, c.accept, web.Page{Locales: c.locales, Data: web.Message{Title: "logged_out.title"}})
		if lang != c.want || strings.Contains(strings.ToLower(body), "<script") {
			t.Errorf("%.40q %q %.40q: %s, want %s\n%s", c.locales, c.query, c.accept, lang, c.want, body)
		}
		if title := map[string]string{"en": "You are logged out", "de": "Sie sind abgemeldet"}[c.want]; !strings.Contains(body, "<h1>"+title+"</h1>") {
			t.Errorf("%s is not in the page in %s:\n%s", title, c.want, body)
		}
	}
	if _, err := web.New(web.Options{Language: "tlh"}); err == nil || !strings.Contains(err.Error(), "DEFAULT_LANGUAGE") || !strings.Contains(err.Error(), "de, en") {
		t.Error(err)
	}
	if got := german.Languages(); !slices.Equal(got, []string{"de", "en"}) {
		t.Error(got)
	}
}

// TestRefusalsInGerman: a refusal is found by its English text, numbers and all,
// and where several were joined.
func TestRefusalsInGerman(t *testing.T) {
	p := newPages(t, "Keystone")
	for english, german := range map[string]string{
		"Add a digit.":               "Fügen Sie eine Ziffer hinzu.",
		"Use at least 8 characters.": "Verwenden Sie mindestens 8 Zeichen.",
		"Use at least 15 characters. Add a digit. Add an upper case letter.":                 "Verwenden Sie mindestens 15 Zeichen. Fügen Sie eine Ziffer hinzu. Fügen Sie einen Großbuchstaben hinzu.",
		"At least 12 characters, at most 1024 bytes; all characters and spaces are allowed.": "Mindestens 12 Zeichen, höchstens 1024 Bytes; alle Zeichen und Leerzeichen sind erlaubt.",
		"Nobody translated this. Add a digit. Nor 1 this.":                                   "Nobody translated this. Fügen Sie eine Ziffer hinzu. Nor 1 this.",
		"Nobody translated this": "Nobody translated this",
		". . .":                  ". . .",
		" ":                      " ",
		"":                       "",
	} {
		_, body := shown(t, p, "", "de", web.Page{Data: web.Message{Title: "problem.title", Lines: []web.Text{web.Say(english)}}})
		if !strings.Contains(body, "<p>"+german+"</p>") {
			t.Errorf("%q is not %q:\n%s", english, german, body)
		}
		if _, body = shown(t, p, "", "en", web.Page{Data: web.Message{Title: "problem.title", Lines: []web.Text{web.Say(english)}}}); !strings.Contains(body, "<p>"+english+"</p>") {
			t.Errorf("%q is something else in English:\n%s", english, body)
		}
	}
	long := strings.Repeat("Add 1 digit. ", 10_000)
	if _, body := shown(t, p, "", "de", web.Page{Data: web.Message{Title: "problem.title", Lines: []web.Text{web.Say(long)}}}); !strings.Contains(body, "Add 1 digit.") {
		t.Error("a long text is lost")
	}
}

// TestValuesInTexts: a value is neither markup nor a place for another value.
func TestValuesInTexts(t *testing.T) {
	p := newPages(t, "Keystone")
	text := web.Say("sign_in.other_account", "client", "{user}"+evil, "user", "{client}")
	_, body := shown(t, p, "", "", web.Page{Data: web.Message{Title: "problem.title", Lines: []web.Text{text}}})
	if !strings.Contains(body, "<p>{user}&#34;&gt;&lt;script&gt;") || !strings.Contains(body, "than {client}, who") {
		t.Error(body)
	}
	for _, bad := range []any{7, nil, web.Text{}, web.Say("problem.request", "id")} {
		w := httptest.NewRecorder()
		err := p.Render(w, httptest.NewRequest(http.MethodGet, "/", nil), 200, "message", web.Page{Data: map[string]any{"Title": bad}})
		if err == nil {
			t.Errorf("%v was shown: %s", bad, w.Body)
		}
	}
}

// TestPagesInEveryLanguage renders each page in each language.
func TestPagesInEveryLanguage(t *testing.T) {
	p := newPages(t, "Keystone")
	for _, lang := range p.Languages() {
		for _, name := range slices.Sorted(maps.Keys(pages)) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			w := httptest.NewRecorder()
			if err := p.Render(w, r, 200, name, web.Page{Locales: lang, Data: pages[name]}); err != nil {
				t.Errorf("%s in %s: %v", name, lang, err)
			}
			if found := regexp.MustCompile(`>[^<]*\b[a-z_]{4,}\.[a-z_]+\b[^<]*<`).FindString(w.Body.String()); found != "" && !strings.Contains(found, "openapi.json") {
				t.Errorf("%s in %s shows a key: %s", name, lang, found)
			}
		}
	}
}

// FuzzTexts: whatever a request says of languages and whatever a text is, a page
// comes out, in a language that there is, with nothing in it that is not text.
func FuzzTexts(f *testing.F) {
	p, err := web.New(web.Options{AppName: "Keystone"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("de-AT en", "de;q=0.9,*;q=0.1", "Use at least 9 characters. Add a digit. {id}")
	f.Add("", "-,;=q", "0.0. 1. . #")
	f.Add("i-klingon x-de", "en-"+strings.Repeat("a-", 200), `"><script>`)
	f.Fuzz(func(t *testing.T, locales, accept, text string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Accept-Language"] = []string{accept}
		w := httptest.NewRecorder()
		page := web.Page{Locales: locales, Data: web.Message{Title: "problem.title", Lines: []web.Text{web.Say(text), web.Say("problem.request", "id", text)}}}
		if err := p.Render(w, r, http.StatusOK, "message", page); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(p.Languages(), w.Header().Get("Content-Language")) || strings.Contains(strings.ToLower(w.Body.String()), "<script") {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	})
}

package web_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/web"
)

const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><style>path{fill:#123}</style><path d="M0 0h8v8z"/></svg>`

// folder writes files and returns where they are.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func picture(t *testing.T, width, height int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLogo(t *testing.T) {
	small := picture(t, 8, 8)
	dir := folder(t, map[string]string{
		"good.svg": drawing, "good.PNG": small, "page.svg": "<html><script>alert(1)</script></html>", "text.svg": "no markup", "half.svg": drawing[:60], "empty.svg": "",
		"jpeg.png": "\xff\xd8\xff\xe0\x00\x10JFIF", "svg.png": drawing, "half.png": small[:20], "wide.png": picture(t, 5000, 1), "logo.gif": "GIF89a", "logo.html": drawing, "logo": drawing,
		"long.svg": drawing + strings.Repeat(" ", 300<<10),
	})
	if err := os.Mkdir(filepath.Join(dir, "folder.svg"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, contentType := range map[string]string{"good.svg": "image/svg+xml", "good.PNG": "image/png"} {
		p, err := web.New(web.Options{AppName: "Keystone", Logo: filepath.Join(dir, name)})
		if err != nil {
			t.Error(name, err)
			continue
		}
		_, body := shown(t, p, "", "", web.Page{Data: web.Message{Title: "problem.title"}})
		at := regexp.MustCompile(`<img class="logo" src="static/(logo\.(?:svg|png))\?v=[0-9a-f]+" alt="">`).FindStringSubmatch(body)
		if at == nil || !strings.Contains(body, `<link rel="icon" href="static/`+at[1]) {
			t.Errorf("%s is not on the page:\n%s", name, body)
			continue
		}
		h := http.Header{}
		if body, ok := p.Asset(h, at[1], ""); !ok || h.Get("Content-Type") != contentType || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Content-Security-Policy") != "default-src 'none'; style-src 'unsafe-inline'; sandbox" || len(body) == 0 {
			t.Errorf("%s: %v", name, h)
		}
	}
	for _, name := range []string{"page.svg", "text.svg", "half.svg", "empty.svg", "jpeg.png", "svg.png", "half.png", "wide.png", "logo.gif", "logo.html", "logo", "long.svg", "folder.svg", "nothing.svg", "../../../../dev/zero", ""} {
		if _, err := web.New(web.Options{Logo: filepath.Join(dir, name)}); err == nil || !strings.Contains(err.Error(), "BRAND_LOGO") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestColor: whatever colour is chosen, text in it and on it can be read (WCAG 2.2
// sections 1.4.3 and 1.4.11).
func TestColor(t *testing.T) {
	base, err := os.ReadFile("static/keystone.css")
	if err != nil {
		t.Fatal(err)
	}
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(base), -1)
	variable := regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)
	for red := 0; red < 256; red += 51 {
		for green := 0; green < 256; green += 51 {
			for blue := 0; blue < 256; blue += 51 {
				chosen := fmt.Sprintf("#%02x%02X%02x", red, green, blue)
				p, err := web.New(web.Options{Color: chosen})
				if err != nil {
					t.Fatal(err)
				}
				body, _ := p.Asset(http.Header{}, "brand.css", "")
				rules := regexp.MustCompile(`:root \{(.*?)\}`).FindAllStringSubmatch(string(body), -1)
				if len(rules) != 2 {
					t.Fatal(string(body))
				}
				for i, rule := range rules {
					colour := map[string]float64{}
					for _, m := range append(variable.FindAllStringSubmatch(schemes[i][1], -1), variable.FindAllStringSubmatch(rule[1], -1)...) {
						rgb, err := strconv.ParseUint(m[2], 16, 32)
						if err != nil {
							t.Fatal(err)
						}
						colour[m[1]] = luminance(rgb)
					}
					for _, pair := range [][2]string{{"accent", "card"}, {"accent", "page"}, {"on-accent", "accent"}} {
						if ratio := (max(colour[pair[0]], colour[pair[1]]) + 0.05) / (min(colour[pair[0]], colour[pair[1]]) + 0.05); ratio < 4.5 {
							t.Errorf("%s, scheme %d: %v: %.2f\n%s", chosen, i, pair, ratio, rule[0])
						}
					}
				}
			}
		}
	}
	p, err := web.New(web.Options{Color: "#8a2be2"}) // can be read as it is
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	if body, ok := p.Asset(h, "brand.css", ""); !ok || !strings.Contains(string(body), "--accent: #8a2be2;") || h.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Error(string(body))
	}
	if _, body := shown(t, p, "", "", web.Page{Data: web.Message{Title: "problem.title"}}); !regexp.MustCompile(`<link rel="stylesheet" href="static/keystone\.css\?v=[0-9a-f]+">\n<link rel="stylesheet" href="static/brand\.css\?v=[0-9a-f]+">`).MatchString(body) {
		t.Error(body)
	}
	for _, bad := range []string{"red", "8a2be2", "#8a2be", "#8a2be2f", "#8a2bex", "#-12345", "#+12345", "#1_2345", "#8a2be2;}*{display:none", "url(x)"} {
		if _, err := web.New(web.Options{Color: bad}); err == nil || !strings.Contains(err.Error(), "BRAND_COLOR") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTemplateDir(t *testing.T) {
	own := map[string]string{
		"message.html": `{{define "title"}}{{.T .Data.Title}}!{{end}}{{define "content"}}<p class="own">{{.AppName}} {{range .Data.Lines}}{{$.T .}}{{end}}</p>{{end}}`,
		"en.json":      `{"problem.title": "Oh no", "Add a digit.": "A digit, please."}`,
		"fr.json":      `{"problem.title": "Cela n'a pas marché", "Use at least # characters.": "Au moins # caractères."}`,
		"ar.json":      `{"page.direction": "rtl"}`,
	}
	dir := folder(t, own)
	hidden := filepath.Join(dir, "..data")
	if err := os.Mkdir(hidden, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(hidden, "pt-BR.json"), []byte(`{"problem.title": "Não deu certo"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..data/pt-BR.json", filepath.Join(dir, "pt-BR.json")); err != nil { // as Kubernetes mounts a ConfigMap
		t.Fatal(err)
	}
	p, err := web.New(web.Options{AppName: "Example", Language: "fr", Templates: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Languages(), " "); got != "fr de en ar pt-BR" {
		t.Error(got)
	}
	if len(p.Warnings) != 3 || !strings.Contains(strings.Join(p.Warnings, "\n"), "fr.json lacks ") {
		t.Error(p.Warnings)
	}
	page := web.Page{Data: web.Message{Title: "problem.title", Lines: []web.Text{web.Say("Add a digit. Use at least 9 characters.")}}}
	for accept, want := range map[string]string{
		"en": "<h1>Oh no!</h1>", "en-GB": `<p class="own">Example A digit, please. Use at least 9 characters.</p>`,
		"fr": "<h1>Cela n&#39;a pas marché!</h1>", "fr-CA": "A digit, please. Au moins 9 caractères.", "pt": "Não deu certo", "de": "Das hat nicht geklappt!", "ja": "Cela n",
	} {
		if _, body := shown(t, p, "", accept, page); !strings.Contains(body, want) {
			t.Errorf("%s: %q is missing:\n%s", accept, want, body)
		}
	}
	w := httptest.NewRecorder()
	r := request()
	r.Header.Set("Accept-Language", "ar")
	if err := p.Render(w, r, 200, "message", page); err != nil || !strings.Contains(w.Body.String(), `<html lang="ar" dir="rtl">`) || w.Header().Get("Content-Security-Policy") != pagePolicy {
		t.Errorf("%v %v %s", err, w.Header(), w.Body)
	}
	if _, err := web.New(web.Options{Templates: folder(t, nil)}); err != nil {
		t.Error("an empty folder:", err)
	}

	outside := folder(t, map[string]string{"secret.json": `{}`})
	for what, c := range map[string]struct {
		files map[string]string
		say   string
	}{
		"a page that is none":       {map[string]string{"signin.html": "x"}, "did you mean sign_in.html?"},
		"another kind of file":      {map[string]string{"consent.htm": "x"}, "did you mean consent.html?"},
		"a script":                  {map[string]string{"submit.js": "x"}, "submit.js"},
		"a template that is broken": {map[string]string{"sign_in.html": "{{if}}"}, "sign_in"},
		"a page without a title":    {map[string]string{"sign_in.html": `{{define "content"}}x{{end}}`}, "sign_in"},
		"a layout without a form":   {map[string]string{"layout.html": `<html>{{template "title" .}}{{template "content" .}}`}, "form"},
		"a value in an open tag":    {map[string]string{"sign_in.html": `{{define "title"}}x{{end}}{{define "content"}}<a href='{{.AppName}}{{end}}`}, "sign_in"},
		"an unknown function":       {map[string]string{"sign_in.html": `{{define "title"}}{{exec "id"}}{{end}}{{define "content"}}{{end}}`}, "sign_in"},
		"a large file":              {map[string]string{"sign_in.html": strings.Repeat(" ", 300<<10)}, "256 KiB"},
		"a language that is none":   {map[string]string{"klingon_x.json": `{}`}, "klingon_x.json"},
		"a tag in another spelling": {map[string]string{"FR.json": `{}`}, "fr.json"},
		"no JSON":                   {map[string]string{"fr.json": `{"a"`}, "fr.json"},
		"a list":                    {map[string]string{"fr.json": `{"problem.title": ["x"]}`}, "fr.json"},
		"a key that is none":        {map[string]string{"fr.json": `{"problem.titel": "x"}`}, "did you mean problem.title?"},
		"another value":             {map[string]string{"fr.json": `{"flow.to": "vers {user}"}`}, "{client}"},
		"a value that is missing":   {map[string]string{"fr.json": `{"flow.to": "là"}`}, "client"},
		"another number":            {map[string]string{"fr.json": `{"Use at least # characters.": "Plus."}`}, "#"},
		"a form without a field":    {map[string]string{"consent.html": `{{define "main"}}<form method="post"><input type="hidden" name="flow" value="{{.Data.Flow}}"></form>{{end}}`}, `does not send the field "account"`},
		"an empty text":             {map[string]string{"fr.json": `{"flow.to": ""}`}, "flow.to"},
		"a direction":               {map[string]string{"fr.json": `{"page.direction": "rtl\" onclick=\"x"}`}, "ltr or rtl"},
	} {
		if _, err := web.New(web.Options{Templates: folder(t, c.files)}); err == nil || !strings.Contains(err.Error(), c.say) && !strings.Contains(err.Error(), strings.Trim(c.say, "{}")) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, target := range map[string]string{"out of the folder": filepath.Join(outside, "secret.json"), "up": "../secret.json", "nowhere": "nothing", "to a folder": "."} {
		dir := folder(t, nil)
		if err := os.Symlink(target, filepath.Join(dir, "fr.json")); err != nil {
			t.Fatal(err)
		}
		if _, err := web.New(web.Options{Templates: dir}); err == nil || !strings.Contains(err.Error(), "TEMPLATE_DIR") {
			t.Errorf("a link %s: %v", what, err)
		}
	}
	if _, err := web.New(web.Options{Templates: filepath.Join(dir, "none")}); err == nil || !strings.Contains(err.Error(), "TEMPLATE_DIR") {
		t.Error(err)
	}
}

const pagePolicy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Package web owns the pages that people see: their templates, their styles and
// the headers that keep them safe.
//
// It must not decide anything, and reads nothing of the request but the language
// that is asked for: a slice decides, and hands over what the page shows. Pages
// work without script; nothing in them is inline, nothing comes from elsewhere.
// What they say is in text/, a file a language.
//
// Start reading at Render, then templates/layout.html, which every page fills.
package web

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	tags "golang.org/x/text/language"
)

//go:embed templates static text
var files embed.FS

// policy lets a page use its own style sheet and icon, send its form home, and
// nothing else (CSP Level 3; ASVS 3.4.3).
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Options are what an operator says of the pages.
type Options struct {
	AppName  string // what people call this service
	Language string // where neither application nor browser asks for one that there is; empty: English
	// Logo is a picture (.svg, .png), Color an accent such as #1f5fa8, Templates a
	// folder of pages and texts that take the place of ours; empty: none.
	Logo, Color, Templates string
}

// Pages renders the pages. Make one at start and share it.
type Pages struct {
	appName   string
	root      string // from the page to where Keystone begins: "" or "../"
	templates map[string]*template.Template
	assets    map[string]asset
	languages []*language // the default first
	matcher   tags.Matcher
	logo      string // static file; empty: none
	colored   bool   // there is a brand.css

	// Warnings say what an operator should know of their own pages.
	Warnings []string
}

type asset struct {
	contentType string
	tag         string // of the content, for caches
	body        []byte
}

// New reads templates, texts and static files.
func New(o Options) (*Pages, error) {
	p := &Pages{appName: o.AppName, templates: map[string]*template.Template{}, assets: map[string]asset{}}
	custom, err := p.readCustom(o.Templates)
	if err == nil {
		err = p.readLanguages(cmp.Or(o.Language, English), custom)
	}
	if err == nil {
		err = p.readAssets()
	}
	if err == nil && o.Logo != "" {
		err = p.readLogo(o.Logo)
	}
	if err == nil && o.Color != "" {
		err = p.readColor(o.Color)
	}
	if err == nil {
		err = p.readTemplates(custom)
	}
	if err == nil && len(custom) > 0 {
		err = p.checkTemplates()
	}
	return p, err
}

// Below is the same for pages one folder down, whose addresses are relative too.
func (p *Pages) Below() *Pages { return p.At("/folder/page") }

// At is the same for a page at the path.
func (p *Pages) At(path string) *Pages {
	at := *p
	at.root = strings.Repeat("../", max(0, strings.Count(path, "/")-1))
	return &at
}

func (p *Pages) readTemplates(custom map[string][]byte) error {
	parse := func(t *template.Template, file string) error {
		body, own := custom[file]
		if own {
			if _, err := t.Parse(string(body)); err != nil {
				return fmt.Errorf("TEMPLATE_DIR: %w", err)
			}
			return nil
		}
		body, err := fs.ReadFile(files, "templates/"+file)
		if err == nil {
			_, err = t.Parse(string(body))
		}
		if err != nil {
			return fmt.Errorf("web: page %s: %w", file, err)
		}
		return nil
	}
	layout := template.New("layout.html").Funcs(template.FuncMap{"strong": strong, "registered": registered, "link": link})
	if err := parse(layout, "layout.html"); err != nil {
		return err
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return fmt.Errorf("web: templates: %w", err)
	}
	for _, file := range names {
		file = path.Base(file)
		if file == "layout.html" {
			continue
		}
		t, err := layout.Clone()
		if err != nil {
			return fmt.Errorf("web: page %s: %w", file, err)
		}
		if err := parse(t.New(file), file); err != nil {
			return err
		}
		p.templates[strings.TrimSuffix(file, ".html")] = t
	}
	return nil
}

// Page is what a page shows, besides what every page has. Templates call its
// methods T and Asset.
type Page struct {
	AppName string // filled in by Render, like the next four
	Lang    string // tag of the language that the page is in (RFC 5646)
	Logo    string // static file; empty: none
	Icon    string // static file
	Colored bool   // the style sheet brand.css goes over ours
	Failed  bool   // something was wrong with what was sent
	Locales string // the ui_locales of the application that brought the person here; empty: what the request says
	Data    any    // the page's own

	language *language
	pages    *Pages
}

// Render answers with a page. It is rendered whole before the first byte
// leaves, so that a fault gives an error and not half a page.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, name string, page Page) error {
	return p.render(w, r, status, name, page, policy)
}

func (p *Pages) render(w http.ResponseWriter, r *http.Request, status int, name string, page Page, policy string) error {
	t := p.templates[name]
	if t == nil {
		return errors.New("web: there is no page " + name)
	}
	page.language = p.choose(r, page.Locales)
	page.AppName, page.Lang, page.pages = p.appName, page.language.tag, p
	page.Logo, page.Icon, page.Colored = p.logo, cmp.Or(p.logo, "keystone.svg"), p.colored
	var b bytes.Buffer
	if err := t.Execute(&b, page); err != nil {
		return fmt.Errorf("web: page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", page.Lang)
	h.Add("Vary", "Accept-Language")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer") // an address may carry a one-time token (RFC 9700 section 4.2.4)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // whoever asked has gone: there is nobody to tell
	return nil
}

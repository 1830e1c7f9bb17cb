// Package web owns the pages that people see: their templates, their styles and
// the headers that keep them safe.
//
// It must not decide anything or read the request: a slice decides, and hands
// over what the page shows. Pages work without script; nothing in them is
// inline, nothing comes from elsewhere.
//
// Start reading at Render, then templates/layout.html, which every page fills.
package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed templates static
var files embed.FS

// policy lets a page use its own style sheet and icon, send its form home, and
// nothing else (CSP Level 3; ASVS 3.4.3).
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Pages renders the pages. Make one at start and share it.
type Pages struct {
	appName   string
	root      string // from the page to where Keystone begins: "" or "../"
	templates map[string]*template.Template
	assets    map[string]asset
}

type asset struct {
	contentType string
	tag         string // of the content, for caches
	body        []byte
}

// New reads the templates. appName is what people call this service.
func New(appName string) (*Pages, error) { return read(appName, "") }

// NewBelow is New for pages one folder down, whose addresses are relative too.
func NewBelow(appName string) (*Pages, error) { return read(appName, "../") }

func read(appName, root string) (*Pages, error) {
	p := &Pages{appName: appName, root: root, templates: map[string]*template.Template{}, assets: map[string]asset{}}
	if err := p.readAssets(); err != nil {
		return nil, err
	}
	layout, err := template.New("layout.html").Funcs(template.FuncMap{"asset": p.address}).ParseFS(files, "templates/layout.html")
	if err != nil {
		return nil, fmt.Errorf("web: layout: %w", err)
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" {
			continue
		}
		t, err := layout.Clone()
		if err == nil {
			t, err = t.ParseFS(files, file)
		}
		if err != nil {
			return nil, fmt.Errorf("web: page %s: %w", name, err)
		}
		p.templates[name] = t
	}
	return p, nil
}

// Page is what a page shows, besides what every page has.
type Page struct {
	AppName string // filled in by Render
	Failed  bool   // something was wrong with what was sent
	Data    any    // the page's own
}

// Render answers with a page. It is rendered whole before the first byte
// leaves, so that a fault gives an error and not half a page.
func (p *Pages) Render(w http.ResponseWriter, status int, name string, page Page) error {
	return p.render(w, status, name, page, policy)
}

func (p *Pages) render(w http.ResponseWriter, status int, name string, page Page, policy string) error {
	t := p.templates[name]
	if t == nil {
		return errors.New("web: there is no page " + name)
	}
	page.AppName = p.appName
	var b bytes.Buffer
	if err := t.Execute(&b, page); err != nil {
		return fmt.Errorf("web: page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
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

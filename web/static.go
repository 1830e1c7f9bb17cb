package web

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
)

// contentTypes are the kinds of file that are served.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".png": "image/png",
	".svg": "image/svg+xml",
}

func (p *Pages) readAssets() error {
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		return fmt.Errorf("web: static files: %w", err)
	}
	for _, e := range entries {
		body, err := fs.ReadFile(files, "static/"+e.Name())
		if err != nil {
			return fmt.Errorf("web: static files: %w", err)
		}
		if contentTypes[path.Ext(e.Name())] == "" {
			return errors.New("web: static/" + e.Name() + " is of a kind that is not served")
		}
		p.addAsset(e.Name(), body)
	}
	return nil
}

func (p *Pages) addAsset(name string, body []byte) {
	sum := sha256.Sum256(body)
	p.assets[name] = asset{contentTypes[path.Ext(name)], hex.EncodeToString(sum[:8]), body}
}

// svgPolicy is for a picture that is opened by itself, as a document: its own
// styles count, nothing else does.
const svgPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

// Asset is where a page finds a static file: relative, so that pages also
// work behind a proxy that serves them below a path, and with the content's tag
// in it, so that caches may keep it for ever.
func (p Page) Asset(name string) (string, error) {
	a, ok := p.pages.assets[name]
	if !ok {
		return "", errors.New("there is no static file " + name)
	}
	return p.pages.root + "static/" + name + "?v=" + a.tag, nil
}

// Asset returns the named static file, which is asked for with a query, with its headers,
// and reports whether there is one.
func (p *Pages) Asset(h http.Header, name, query string) (body []byte, ok bool) {
	a, ok := p.assets[name]
	if !ok {
		return nil, false
	}
	h.Set("ETag", `"`+a.tag+`"`)
	h.Set("Cache-Control", "public, max-age=3600")
	if query == "v="+a.tag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", svgPolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Type", a.contentType)
	return a.body, true
}

package server

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"

	"github.com/keystone-auth/keystone/internal/httpio"
)

//go:embed docs/page.html docs/docs.js docs/docs.css
var docFiles embed.FS

// docsPolicy lets the documentation page use its own script and style and call
// this server, and nothing else.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// docs serves the OpenAPI document, and when DEBUG the page that shows it and
// can try it. Everything is embedded: nothing comes from elsewhere.
type docs struct {
	document            func() (file, error) // written when it is first asked for: it takes longer than the rest of the start
	page, script, style file
}

// file is a body that never changes while the process lives.
type file struct {
	contentType string
	tag         []string
	body        []byte
}

func newFile(contentType string, body []byte) file {
	sum := sha256.Sum256(body)
	return file{contentType, []string{`"` + hex.EncodeToString(sum[:12]) + `"`}, body}
}

func newDocs() (*docs, error) {
	d := &docs{}
	for _, f := range []struct {
		to                *file
		name, contentType string
	}{
		{&d.page, "docs/page.html", "text/html; charset=utf-8"},
		{&d.script, "docs/docs.js", "text/javascript; charset=utf-8"},
		{&d.style, "docs/docs.css", "text/css; charset=utf-8"},
	} {
		body, err := docFiles.ReadFile(f.name)
		if err != nil {
			return nil, fmt.Errorf("server: documentation: %w", err)
		}
		*f.to = newFile(f.contentType, body)
	}
	return d, nil
}

// describe is called once every route is known.
func (d *docs) describe(api *httpio.API, issuer string) {
	d.document = sync.OnceValues(func() (file, error) {
		document, err := api.OpenAPI(issuer)
		return newFile("application/json", document), err
	})
}

func (d *docs) openAPI(w http.ResponseWriter, r *http.Request) error {
	document, err := d.document()
	if err == nil {
		document.serve(w, r)
	}
	return err
}

// routes are those of the page.
func (d *docs) routes() []httpio.Route {
	page := func(path, summary string, f *file) httpio.Route {
		return httpio.Plain(http.MethodGet, path, httpio.Public, httpio.LimitNone, summary, func(w http.ResponseWriter, r *http.Request) error {
			w.Header()["Content-Security-Policy"] = []string{docsPolicy}
			f.serve(w, r)
			return nil
		}, httpio.DocContent(http.StatusOK, f.contentType, "The file."), httpio.DocCached())
	}
	return []httpio.Route{
		page("/docs", "This API, to read and to try (DEBUG)", &d.page),
		page("/redoc", "This API, to read (DEBUG)", &d.page),
		page("/docs/docs.js", "Script of the documentation page", &d.script),
		page("/docs/docs.css", "Style of the documentation page", &d.style),
	}
}

// serve answers with the file, or 304 where the caller has it.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Etag"] = f.tag
	h["Cache-Control"] = []string{"public, max-age=60"}
	httpio.WriteTagged(w, r, f.contentType, f.body)
}

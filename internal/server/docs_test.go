package server

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// TestOpenAPITrue: every route is in the document, with its method, and the
// document has nothing else.
func TestOpenAPITrue(t *testing.T) {
	s, _ := boot(t, with("DEBUG=true", "METRICS_PUBLIC=true"))
	w := send(s, "GET", "/openapi.json", "")
	var doc struct {
		OpenAPI string
		Servers []struct{ URL string }
		Paths   map[string]map[string]struct {
			Summary   string
			Security  []map[string][]string
			Responses map[string]any
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("%d %v", w.Code, err)
	}
	n := 0
	for _, rt := range s.Routes() {
		op, ok := doc.Paths[rt.Path][strings.ToLower(rt.Method)]
		if !ok || op.Summary != rt.Summary {
			t.Errorf("%s is not in the document", rt.Pattern())
			continue
		}
		n++
		success := false
		for status := range op.Responses {
			success = success || status[0] == '2' || status == "303"
		}
		if !success {
			t.Errorf("%s: the document does not say how it succeeds: %v", rt.Pattern(), op.Responses)
		}
		if open := rt.Access == httpio.Public || rt.Access == httpio.CrossSite || rt.Access == httpio.ClientAuth; !open && len(op.Security) == 0 ||
			rt.Access == httpio.Public && len(op.Security) > 0 {
			t.Errorf("%s is %s, the document demands %v", rt.Pattern(), rt.Access, op.Security)
		}
	}
	in := 0
	for _, item := range doc.Paths {
		in += len(item)
	}
	if n != in || n != len(s.Routes()) {
		t.Errorf("%d routes, %d of them in the document, %d operations there", len(s.Routes()), n, in)
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("there is no schema %s", ref[1])
		}
	}
	if again := send(s, "GET", "/openapi.json", "", "If-None-Match: "+w.Header().Get("ETag")); again.Code != 304 || again.Body.Len() > 0 {
		t.Errorf("with its ETag: %d", again.Code)
	}
}

// TestDocsPages: only when DEBUG, from this server alone, without inline code.
func TestDocsPages(t *testing.T) {
	s, _ := boot(t, with("DEBUG=true"))
	quiet, _ := boot(t, off)
	for path, contentType := range map[string]string{"/docs": "text/html", "/redoc": "text/html", "/docs/docs.js": "text/javascript", "/docs/docs.css": "text/css"} {
		w := send(s, "GET", path, "")
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), contentType) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("%s: %s", path, csp)
		}
		if regexp.MustCompile(`(?i)(src|href)="(https?:)?//|<script>|<style|\son\w+=|innerHTML|document\.write|eval\(`).MatchString(w.Body.String()) {
			t.Errorf("%s has inline code or something from elsewhere", path)
		}
		if w := send(quiet, "GET", path, ""); w.Code != 404 {
			t.Errorf("%s without DEBUG: %d", path, w.Code)
		}
	}
}

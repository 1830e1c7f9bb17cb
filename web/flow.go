package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
)

// flowPolicy is the policy of pages whose form may end, after redirects, at an
// application: browsers hold form-action against every redirect on the way.
const flowPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// RenderFlow answers with a page on the way to an application.
func (p *Pages) RenderFlow(w http.ResponseWriter, r *http.Request, status int, name string, page Page) error {
	return p.render(w, r, status, name, page, flowPolicy)
}

// RenderTo answers with a page whose form goes to an application at once: the one
// page with a script, which does nothing but send the form. Without script
// there is the button.
func (p *Pages) RenderTo(w http.ResponseWriter, r *http.Request, status int, name string, page Page) error {
	return p.render(w, r, status, name, page, flowPolicy+"; script-src 'self'")
}

// RenderFrames answers with a page that loads pages of other origins in frames,
// those named and no others, and goes on to next (empty: nowhere) by itself, with
// script or without.
func (p *Pages) RenderFrames(w http.ResponseWriter, r *http.Request, name string, page Page, origins []string, next string) error {
	framed := policy
	if len(origins) > 0 {
		framed += "; frame-src " + strings.Join(origins, " ")
	}
	if next != "" {
		w.Header().Set("Refresh", framesTime+"; url="+next)
	}
	return p.render(w, r, http.StatusOK, name, page, framed)
}

// RenderFramed answers with a page that pages of any origin may load in a frame.
// It has no content and no data, only the script of its own name.
func (p *Pages) RenderFramed(w http.ResponseWriter, r *http.Request, name string) error {
	// Where frame-ancestors stands, browsers pass X-Frame-Options over (CSP Level 3
	// section 6.4.2).
	return p.render(w, r, http.StatusOK, name, Page{}, "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *")
}

// framesTime is how many seconds the frames have after the page has loaded.
const framesTime = "2"

// Message is what the page "message" says.
type Message struct {
	Title   string // key of a text
	Lines   []Text
	Command string // for whoever runs the server; empty: none
}

// Wait says how long to wait after a refusal that is over by itself; nil: it is not.
// Where it is more than a minute and a half, or an hour and a half, it says the next
// larger unit, rounded up.
func Wait(e *keystone.Error) Text {
	if e == nil || e.RetryAfter <= 0 {
		return nil
	}
	up := func(unit time.Duration) int64 { return int64((e.RetryAfter + unit - 1) / unit) }
	switch {
	case e.RetryAfter > 90*time.Minute:
		return Say("wait.hours", "n", up(time.Hour))
	case e.RetryAfter > 90*time.Second:
		return Say("wait.minutes", "n", up(time.Minute))
	}
	return Say("wait.seconds", "n", max(2, up(time.Second))) // one is two: no language needs its singular
}

// Problem answers with a page that says what went wrong and what to do. requestID
// is what to name when asking for help.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, status int, requestID string, err error) error {
	var e *keystone.Error
	if !errors.As(err, &e) {
		return err
	}
	lines := []Text{Say(e.Msg)}
	if wait := Wait(e); wait != nil {
		lines = append(lines, wait)
	}
	if requestID != "" {
		lines = append(lines, Say("problem.request", "id", requestID))
	}
	return p.Render(w, r, status, "message", Page{Failed: true, Data: Message{Title: "problem.title", Lines: lines}})
}

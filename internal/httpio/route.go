package httpio

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Route is one line of a slice's route list: which request it answers, who may
// send it, how often, and with what. The server wraps every route in the same
// checks (limit, then authentication, then access); a route cannot leave them
// out.
type Route struct {
	Method  string
	Path    string // pattern of http.ServeMux, e.g. /api/v1/users/{id}
	Summary string // one line, for OpenAPI and `keystone routes`
	Access  Access
	Limit   Limit
	Status  int // status of success; 0 means 200, or 204 where nothing is answered
	Docs    []Doc
	Page    bool // people see it: its errors are pages, too

	build func(*API, *huma.Operation) http.Handler
}

// Answers returns the route with another status of success, such as 201.
func (rt Route) Answers(status int) Route { rt.Status = status; return rt }

// Says returns the route with more for the OpenAPI document.
func (rt Route) Says(docs ...Doc) Route { rt.Docs = append(rt.Docs, docs...); return rt }

// Pattern is the route's pattern for http.ServeMux.
func (rt Route) Pattern() string { return rt.Method + " " + rt.Path }

// JSON is a route whose handler takes and gives Go values. I has fields tagged
// path:"", query:"" and header:"" and a field Body; O has fields tagged
// header:"", a field Status where the status varies, and a field Body. Their
// tags (doc, minLength, maxLength, enum, format …) are both the validation and
// the OpenAPI document. A field of Body is required unless it is omitempty; null for a
// field that is not required is the same as leaving it out, but in a PATCH, where it is
// refused unless the schema says that it is nullable, as that of package patch does.
// Without a field Body, a body is refused.
func JSON[I, O any](method, path string, access Access, limit Limit, summary string, h func(context.Context, *I) (*O, error)) Route {
	return Route{Method: method, Path: path, Access: access, Limit: limit, Summary: summary,
		build: func(a *API, op *huma.Operation) http.Handler { return buildJSON(a, op, h) }}
}

// Plain is a route whose handler reads the request and writes the answer
// itself: protocol endpoints and pages. It writes nothing before it returns an
// error, which WriteError then answers. docs tell the OpenAPI document what the
// code cannot.
func Plain(method, path string, access Access, limit Limit, summary string, h func(http.ResponseWriter, *http.Request) error, docs ...Doc) Route {
	return Route{Method: method, Path: path, Access: access, Limit: limit, Summary: summary, Docs: docs,
		build: func(a *API, op *huma.Operation) http.Handler {
			a.api.OpenAPI().AddOperation(op)
			return plain(h)
		}}
}

// PageRoute is a Plain route that people see in a browser. Whatever is wrong with
// their request, limits and overload included, they get a page that says so.
func PageRoute(method, path string, access Access, limit Limit, summary string, h func(http.ResponseWriter, *http.Request) error, docs ...Doc) Route {
	rt := Plain(method, path, access, limit, summary, h, docs...)
	rt.Page = true
	return rt
}

type plain func(http.ResponseWriter, *http.Request) error

func (h plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		WriteError(w, r, err)
	}
}

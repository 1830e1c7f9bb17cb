// Package httpio is the edge between HTTP and the nouns: what a route is, how a
// request becomes Go values, and how a result or an error becomes an answer.
//
// It owns the route type and its access rule, strict decoding of JSON bodies
// and forms, the one shape of every error body, the actor in the context,
// cursors and entity tags, and the OpenAPI document.
//
// It must not know any business: no store, no tokens, no limits. It writes
// error bodies, and nobody else does.
//
// Start reading at route.go, then error.go (kinds to status and code), scan.go
// (what a JSON body may be) and form.go (what a form may be).
package httpio

// Package server builds everything once and serves it: it joins the slices'
// route lists, puts the same checks around every route, and runs the listeners
// and the background jobs.
//
// It owns the order of those checks (source, limit, authentication, access),
// security headers, CORS, limits, logs, metrics, traces, health, TLS and the
// start and end of a process. Its jobs are goroutines that outlive a request;
// store's group writer and ephemeral's prober of Redis are the others.
//
// It must not know any business: what a route does is its slice's affair, and
// no handler can be reached but through endpoint.go.
//
// Start reading at routes.go (every route there is), then endpoint.go (what
// every request passes), then server.go (what is built) and serve.go.
package server

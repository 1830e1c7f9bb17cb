package server

import (
	"net/http"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// recorder is the ResponseWriter of one request, together with what the request
// knows of itself: one allocation holds both.
type recorder struct {
	http.ResponseWriter
	x        httpio.Exchange
	endpoint *endpoint // nil where no route matched
	status   int
	bytes    int64
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap gives http.ResponseController the writer of net/http.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

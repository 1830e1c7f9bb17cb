package httpio

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/keystone-auth/keystone"
)

// ErrorBody is the shape of every error answer. It is written by hand in
// appendError; the type is there for the OpenAPI document.
type ErrorBody struct {
	Error       string            `json:"error" doc:"Code of the refusal, for programs." example:"invalid_request"`
	Description string            `json:"error_description" doc:"What to do, for people. It never repeats what was sent."`
	Timestamp   int64             `json:"timestamp" doc:"Unix seconds."`
	RequestID   string            `json:"request_id" doc:"Name this when you ask for help. The same as the header X-Request-Id."`
	Fields      map[string]string `json:"fields,omitempty" doc:"Name of a field, and why it was refused."`
}

// codes is the code and status of each kind.
var codes = [...]struct {
	code   string
	status int
}{
	keystone.Unknown:         {"internal_error", http.StatusInternalServerError},
	keystone.Invalid:         {"invalid_request", http.StatusBadRequest},
	keystone.Unauthenticated: {"authentication_failed", http.StatusUnauthorized},
	keystone.Forbidden:       {"authorization_failed", http.StatusForbidden},
	keystone.NotFound:        {"not_found", http.StatusNotFound},
	keystone.Conflict:        {"conflict", http.StatusConflict},
	keystone.Stale:           {"precondition_failed", http.StatusPreconditionFailed},
	keystone.Limited:         {"rate_limited", http.StatusTooManyRequests},
	keystone.Unavailable:     {"temporarily_unavailable", http.StatusServiceUnavailable},
}

// Refusals of the edge itself, whose status is finer than their kind.
var (
	errTooLarge         = keystone.Fail(keystone.Invalid, "The body is larger than this endpoint takes. Send less.").WithCode(codeTooLarge)
	errMediaType        = keystone.Fail(keystone.Invalid, "Send the body with Content-Type: application/json.").WithCode(codeMediaType)
	errEncoded          = keystone.Fail(keystone.Invalid, "Send the body as it is: one with a Content-Encoding, such as gzip, is not read.").WithCode(codeMediaType)
	errFormType         = keystone.Fail(keystone.Invalid, "Send the parameters as a form, with Content-Type: application/x-www-form-urlencoded.")
	errInternal         = keystone.Fail(keystone.Unknown, "The server failed to answer. Try again; if it stays, report the request_id to whoever runs this server.")
	errMethodNotAllowed = keystone.Fail(keystone.Invalid, "This address does not answer to this method. The header Allow names those it does.").WithCode(codeMethod)
	errNoRoute          = keystone.Fail(keystone.NotFound, "There is nothing at this address. GET /openapi.json lists what there is.")
	errGone             = keystone.Fail(keystone.Unavailable, "The request was given up before it was answered. Send it again.")
)

const (
	codeTooLarge  = "too_large"
	codeMediaType = "unsupported_media_type"
	codeMethod    = "method_not_allowed"
)

// statuses of codes that do not have the status of their kind.
func statusOf(kind keystone.Kind, code string) int {
	switch code {
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeMediaType:
		return http.StatusUnsupportedMediaType
	case codeMethod:
		return http.StatusMethodNotAllowed
	}
	return codes[kind].status
}

// WriteError answers a request with err. It is the only writer of error bodies:
// the shape that docs/API.md describes everywhere, the codes of RFC 6749 section 5.2 where
// the error carries one; a page on routes that people see. An error without a kind is answered with 500 and a
// fixed text; its own text goes to the exchange, for the log.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	x := ExchangeOf(r.Context())
	x.Err = err
	e := explain(r, err)

	h := w.Header()
	code := codes[e.Kind].code
	if e.Code != "" {
		code = e.Code
	}
	status := statusOf(e.Kind, code)
	if status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		h["Www-Authenticate"] = x.challenge(code)
	}
	RetryAfter(h, e)
	for _, name := range []string{"Etag", "Last-Modified", "Content-Length", "Content-Encoding", "Content-Disposition"} {
		delete(h, name) // they told of the answer that was not given
	}
	h["Cache-Control"] = noStore
	if x.Problem != nil && x.Problem(w, r, status, x.Actor.RequestID, e) == nil {
		return
	}
	h["Content-Type"] = contentJSON
	body := appendError(make([]byte, 0, 320), code, e, x.Actor.RequestID, time.Now().Unix())
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked has gone: there is nobody to tell
}

// RetryAfter says when to come again (RFC 9110 section 10.2.3), in a second at the
// earliest, after what may be tried again; and that nothing is left until then, where
// something is limited, be it the route or what it counts.
func RetryAfter(h http.Header, e *keystone.Error) {
	if e.Kind != keystone.Limited && e.Kind != keystone.Unavailable {
		return
	}
	wait := []string{strconv.FormatInt(max(1, Seconds(e.RetryAfter)), 10)}
	h["Retry-After"] = wait
	if e.Kind == keystone.Limited {
		h["Ratelimit-Remaining"], h["Ratelimit-Reset"] = []string{"0"}, wait
		if h["Ratelimit-Limit"] == nil {
			h["Ratelimit-Limit"] = []string{"1"} // one in that time
		}
	}
}

// Seconds rounds up: whoever waits as told is not too early.
func Seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// ErrorValues is what a redirect back to a client says of err (RFC 6749 section
// 4.1.2.1): the code, and a fixed text that repeats nothing of what was sent.
func ErrorValues(err error) url.Values {
	code, text := "server_error", errInternal.Msg
	var e *keystone.Error
	if errors.As(err, &e) && e.Kind != keystone.Unknown {
		if code, text = e.Code, e.Msg; code == "" {
			code = "invalid_request"
		}
	}
	return url.Values{"error": {code}, "error_description": {text}}
}

// Refusal returns the code and the text that a refusal is answered with, for
// whoever explains it later.
func Refusal(err error) (code, text string) {
	var e *keystone.Error
	if !errors.As(err, &e) || e.Kind == keystone.Unknown || int(e.Kind) >= len(codes) {
		e = errInternal
	}
	if code = e.Code; code == "" {
		code = codes[e.Kind].code
	}
	return code, e.Msg
}

// Header values that never change, shared by every answer.
var (
	contentJSON = []string{"application/json"}
	noStore     = []string{"no-store"}
)

// explain finds what may be said of err.
func explain(r *http.Request, err error) *keystone.Error {
	var e *keystone.Error
	if errors.As(err, &e) && e.Kind != keystone.Unknown && int(e.Kind) < len(codes) {
		return e
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded) && r.Context().Err() != nil:
		return errGone
	}
	return errInternal
}

// StatusOf returns the status that WriteError would answer err with.
func StatusOf(r *http.Request, err error) int {
	e := explain(r, err)
	return statusOf(e.Kind, e.Code)
}

func appendError(b []byte, code string, e *keystone.Error, requestID string, now int64) []byte {
	b = append(b, `{"error":`...)
	b = AppendText(b, code)
	b = append(b, `,"error_description":`...)
	b = AppendText(b, e.Msg)
	b = append(b, `,"timestamp":`...)
	b = strconv.AppendInt(b, now, 10)
	b = append(b, `,"request_id":`...)
	b = AppendText(b, requestID)
	if len(e.Fields) > 0 {
		names := make([]string, 0, len(e.Fields))
		for name := range e.Fields {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			if i == 0 {
				b = append(b, `,"fields":{`...)
			} else {
				b = append(b, ',')
			}
			b = AppendText(b, name)
			b = append(b, ':')
			b = AppendText(b, e.Fields[name])
		}
		b = append(b, '}')
	}
	return append(b, '}', '\n')
}

// AppendText appends s as a JSON string that is also safe inside HTML. An invalid
// byte becomes U+FFFD.
func AppendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				b = append(b, '\\', c)
			case c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x7f:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			default:
				b = append(b, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		b = utf8.AppendRune(b, r) // an invalid byte becomes U+FFFD
		i += n
	}
	return append(b, '"')
}

// NotFound answers a request for an address that no route has.
func NotFound(w http.ResponseWriter, r *http.Request) { WriteError(w, r, errNoRoute) }

// MethodNotAllowed answers a request whose address has routes, but none for its
// method; allow lists those it has (RFC 9110 section 15.5.6).
func MethodNotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	WriteError(w, r, errMethodNotAllowed)
}

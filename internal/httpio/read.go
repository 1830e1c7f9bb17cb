package httpio

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
)

var (
	errBodyEnd     = keystone.Fail(keystone.Invalid, "The body ended before it was complete. Send it again.")
	errNoBody      = keystone.Fail(keystone.Invalid, "This call takes no body. Leave it out.")
	errQueryName   = keystone.Fail(keystone.Invalid, "Leave out the query parameter: this call does not take it. Secrets and tokens never belong into an address.")
	errQueryTwice  = keystone.Fail(keystone.Invalid, "A query parameter occurs twice. Send it once.")
	errQueryEscape = keystone.Fail(keystone.Invalid, "The query is not well formed: percent-encode its values as UTF-8, without NUL.")
)

// readJSON reads a body of JSON into b, at most limit bytes of it, and checks it. The
// media type must say JSON: a form or text/plain is what a page of another site can send
// without asking (CSRF), so it is refused whatever it contains. What was not sent is of
// no type (RFC 9110 section 6.4.1), and missing.
func readJSON(b *bytes.Buffer, r *http.Request, limit int64, s *shape) error {
	if r.ContentLength == 0 {
		return errEmpty
	}
	if !isJSON(r.Header["Content-Type"]) {
		return errMediaType
	}
	if err := readBody(b, r, limit); err != nil {
		return err
	}
	if b.Len() == 0 {
		return errEmpty
	}
	return scan(b.Bytes(), s)
}

// refuseBody refuses the body of a call that takes none. An empty object and null are as
// good as none, of whatever type they are said to be: programs send them for nothing.
func refuseBody(r *http.Request) error {
	b := getBuffer()
	defer putBuffer(b)
	if err := readBody(b, r, mostRefused); err != nil {
		return errNoBody.Because(err)
	}
	if b.Len() == 0 {
		return nil
	}
	err := scan(b.Bytes(), &shape{fields: map[string]*shape{}})
	if sent := bytes.Trim(b.Bytes(), " \t\r\n"); err == nil && sent[0] != '{' && string(sent) != "null" {
		return errNoBody
	}
	return err
}

// mostRefused is how much of a body is read to name the fields that are refused.
const mostRefused = 4 << 10

func isJSON(values []string) bool {
	if len(values) != 1 {
		return false
	}
	if values[0] == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(values[0])
	if err != nil || media != "application/json" {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}

// drained is up to which length a body that is too large is read all the same.
// Many programs write everything before they read; to them an answer on a
// connection that ends is a broken connection.
const drained = 4 << 20

// Memory follows what has come, not what was promised: a length in a header is
// believed up to foreseen, and bodies of more than MaxForm, which few calls need,
// are read mostLarge at a time. What many slow senders can take is their number
// times MaxForm, and mostLarge times the limit.
const (
	foreseen  = 8 << 10
	mostLarge = 32
)

var (
	largeBodies    = make(chan struct{}, mostLarge)
	errLargeBodies = keystone.Fail(keystone.Unavailable, "Too many large bodies are being sent at the moment. Send less at once, or try again shortly.").After(time.Second)
)

// readBody reads the whole body, at most limit bytes of it. A longer one is
// refused where it says how long it is; beyond what is drained the server ends
// the connection instead of reading the rest.
func readBody(b *bytes.Buffer, r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		if r.ContentLength <= drained && r.Header.Get("Expect") == "" {
			_, _ = io.Copy(io.Discard, r.Body) // the connection has its deadline
		}
		return errTooLarge
	}
	if r.Header.Get("Content-Encoding") != "" {
		return errEncoded
	}
	if n := int(r.ContentLength); n > 0 {
		b.Grow(min(n, foreseen) + bytes.MinRead)
	}
	part := min(limit, MaxForm)
	if _, err := b.ReadFrom(io.LimitReader(r.Body, part+1)); err != nil {
		return errBodyEnd.Because(err)
	}
	if int64(b.Len()) > part && part < limit {
		select {
		case largeBodies <- struct{}{}:
			defer func() { <-largeBodies }()
		default:
			return errLargeBodies
		}
		if _, err := b.ReadFrom(io.LimitReader(r.Body, limit-part)); err != nil {
			return errBodyEnd.Because(err)
		}
	}
	if int64(b.Len()) > limit {
		return errTooLarge
	}
	return nil
}

// checkQuery refuses query parameters that the call does not know or that occur
// twice, and values that are no text.
func checkQuery(raw string, known map[string]bool) error {
	seen := names{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return errQueryEscape
		}
		if !known[name] {
			return errQueryName
		}
		if !seen.add(name) {
			return errQueryTwice
		}
		if value, err = url.QueryUnescape(value); err != nil || !cleanText(value) {
			return errQueryEscape
		}
	}
	return nil
}

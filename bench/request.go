package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
)

// appendForm appends a POST of a form. authorization may be empty.
func appendForm(b []byte, path, authorization string, form []byte) []byte {
	return appendPost(b, path, authorization, "application/x-www-form-urlencoded", form)
}

// appendJSON appends a POST of a JSON document.
func appendJSON(b []byte, path string, doc []byte) []byte {
	return appendPost(b, path, "", "application/json", doc)
}

func appendPost(b []byte, path, authorization, contentType string, body []byte) []byte {
	b = append(append(b, "POST "...), path...)
	b = append(b, " HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: bench\r\nContent-Type: "...)
	b = append(b, contentType...)
	if authorization != "" {
		b = append(append(b, "\r\nAuthorization: "...), authorization...)
	}
	b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(len(body)), 10)
	return append(append(b, "\r\n\r\n"...), body...)
}

// appendGet appends a GET.
func appendGet(b []byte, path, authorization string) []byte {
	b = append(append(b, "GET "...), path...)
	b = append(b, " HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: bench"...)
	if authorization != "" {
		b = append(append(b, "\r\nAuthorization: "...), authorization...)
	}
	return append(b, "\r\n\r\n"...)
}

// basic is HTTP Basic as RFC 6749 section 2.3.1 has it.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// appendBrowserGet appends a GET of a browser.
func appendBrowserGet(b []byte, path, cookie string) []byte {
	b = append(append(b, "GET "...), path...)
	b = append(b, " HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: bench\r\nAccept: text/html\r\nCookie: "...)
	return append(append(b, cookie...), "\r\n\r\n"...)
}

// challenge is the S256 challenge of a verifier (RFC 7636 section 4.2).
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// value returns the string member of a JSON object without reading the rest: it
// is for tokens and cursors, which have nothing to unescape.
func value(body []byte, name string) []byte {
	for {
		_, rest, found := bytes.Cut(body, []byte(`"`+name+`":`))
		if !found {
			return nil
		}
		body = rest
		if rest = bytes.TrimLeft(rest, " "); len(rest) > 0 && rest[0] == '"' {
			if end := bytes.IndexByte(rest[1:], '"'); end >= 0 {
				return rest[1 : 1+end]
			}
		}
	}
}

// constant is a plan's Next that always asks the same.
func constant(request []byte) func(int, []byte) ([]byte, bool) {
	return func(_ int, b []byte) ([]byte, bool) { return append(b, request...), true }
}

// has is a plan's Check for 200 and a part that must be in the body.
func has(part string) func(int, int, []byte) error {
	want := []byte(part)
	return func(_, status int, body []byte) error {
		if status != 200 || !bytes.Contains(body, want) {
			return fmt.Errorf("status %d: %.300s", status, body)
		}
		return nil
	}
}

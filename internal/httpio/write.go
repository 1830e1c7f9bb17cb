package httpio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// buffers are for encoding answers. One that has grown large is not kept, so
// that a single large answer does not hold memory for ever.
var buffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 1024)) }}

const keptBuffer = 64 << 10

func getBuffer() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) }

func putBuffer(b *bytes.Buffer) {
	if b.Cap() <= keptBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

// encode writes v as JSON. Characters special to HTML are left alone: answers
// are application/json with nosniff.
func encode(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("httpio: encode answer: %w", err)
	}
	return nil
}

// WriteJSON answers with v. The answer may not be stored by caches unless the
// handler has set a Cache-Control of its own.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	b := getBuffer()
	defer putBuffer(b)
	if err := encode(b, v); err != nil {
		return err
	}
	WriteRaw(w, status, "", b.Bytes())
	return nil
}

// WriteAppender answers with a body that writes itself as JSON.
func WriteAppender(w http.ResponseWriter, status int, body Appender) {
	b := getBuffer()
	defer putBuffer(b)
	b.Write(body.AppendJSON(b.AvailableBuffer()))
	WriteRaw(w, status, "", b.Bytes())
}

// setLength says how long an answer is, where net/http would not: it counts short ones
// by itself, for less.
func setLength(h http.Header, n int) {
	if n > 1<<10 {
		h["Content-Length"] = []string{strconv.Itoa(n)}
	}
}

// WriteRaw answers with a body that is already built: JSON where contentType is
// empty. The answer may not be stored by caches unless the handler has set a
// Cache-Control of its own.
func WriteRaw(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	if contentType == "" {
		h["Content-Type"] = contentJSON
	} else {
		h["Content-Type"] = []string{contentType}
	}
	if _, ok := h["Cache-Control"]; !ok {
		h["Cache-Control"] = noStore
	}
	setLength(h, len(body))
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked has gone: there is nobody to tell
}

package httpio

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestReadBodyTakesWhatComes (SECURITY.md P7): a length that is only promised
// takes no memory, and no number of senders makes the server hold many large
// bodies at once.
func TestReadBodyTakesWhatComes(t *testing.T) {
	post := func(body io.Reader, length int64) *http.Request {
		r := httptest.NewRequest("POST", "/", body)
		r.ContentLength = length
		return r
	}
	var b bytes.Buffer
	if err := readBody(&b, post(strings.NewReader("{"), maxJSONBody), maxJSONBody); err != nil || b.Cap() > 2*foreseen {
		t.Errorf("one byte of a promised MiB took %d bytes, %v", b.Cap(), err)
	}

	// mostLarge senders stop in the middle of large bodies.
	var senders sync.WaitGroup
	ends := make([]*io.PipeWriter, mostLarge)
	for i := range ends {
		body, end := io.Pipe()
		ends[i] = end
		senders.Go(func() {
			var b bytes.Buffer
			if err := readBody(&b, post(body, maxJSONBody), maxJSONBody); err != nil || b.Len() != MaxForm+2 {
				t.Errorf("a slow body: %d bytes, %v", b.Len(), err)
			}
		})
		_, _ = end.Write(make([]byte, MaxForm+1))
		_, _ = end.Write(make([]byte, 1)) // taken: its reader is past the first part
	}
	large := func() error {
		var b bytes.Buffer
		return readBody(&b, post(bytes.NewReader(make([]byte, maxJSONBody)), maxJSONBody), maxJSONBody)
	}
	if err := large(); !errors.Is(err, errLargeBodies) {
		t.Errorf("one more large body: %v", err)
	}
	b.Reset()
	if err := readBody(&b, post(bytes.NewReader(make([]byte, MaxForm)), MaxForm), maxJSONBody); err != nil {
		t.Errorf("a small body beside large ones: %v", err)
	}
	for _, end := range ends {
		_ = end.Close()
	}
	senders.Wait()
	if err := large(); err != nil {
		t.Errorf("a large body afterwards: %v", err)
	}
}

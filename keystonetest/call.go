package keystonetest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Call sends a JSON request to this node, with a bearer token unless it is
// empty, and returns the status. body is what is sent (nil: nothing); the answer
// is decoded into answer (nil: not at all).
func (s *Server) Call(method, path, token string, body, answer any) int {
	s.t.Helper()
	status, text := s.send(method, path, token, body)
	if answer != nil && len(text) > 0 {
		if err := json.Unmarshal(text, answer); err != nil {
			s.t.Fatalf("keystonetest: %s %s answered %d with what is not JSON for %T: %v", method, path, status, answer, err)
		}
	}
	return status
}

// must is Call where only one status will do.
func (s *Server) must(want int, method, path, token string, body, answer any) {
	s.t.Helper()
	status, text := s.send(method, path, token, body)
	if status != want {
		s.t.Fatalf("keystonetest: %s %s answered %d: %s", method, path, status, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		s.t.Fatalf("keystonetest: %s %s: %v", method, path, err)
	}
}

func (s *Server) send(method, path, token string, body any) (status int, text []byte) {
	s.t.Helper()
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal("keystonetest:", err)
		}
		reader = bytes.NewReader(b)
	}
	// An address of its own, such as the next page's, may be given whole.
	url := path
	if strings.HasPrefix(path, "/") {
		url = s.URL + path
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, reader)
	if err != nil {
		s.t.Fatal("keystonetest:", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatalf("keystonetest: %s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err = io.ReadAll(resp.Body); err != nil {
		s.t.Fatalf("keystonetest: %s %s: %v", method, path, err)
	}
	return resp.StatusCode, text
}

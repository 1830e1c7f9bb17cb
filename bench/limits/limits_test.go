package limits

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSigned(t *testing.T) {
	es, err := newES256()
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := es.mint("somebody")
	if err != nil {
		t.Fatal(err)
	}
	if sub, err := es.verify(jwt); err != nil || sub != "somebody" {
		t.Errorf("%q, %v", sub, err)
	}
	if _, err := es.verify(jwt[:len(jwt)-4] + "AAAA"); err == nil {
		t.Error("a changed signature is good")
	}
}

func TestEndpoints(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	s, err := NewServer(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go func() { served <- s.Serve(ctx, l) }()
	post := func(path, secret string) (int, string) {
		req := httptest.NewRequest(http.MethodPost, "http://"+l.Addr().String()+path, strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
		req.RequestURI = ""
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth(ClientID, secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	for _, path := range []string{"/token", "/es256", "/rs256"} {
		if status, body := post(path, ClientSecret); status != 200 || !strings.Contains(body, `"access_token":"eyJ`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := post("/es256", "wrong"); status != 400 {
		t.Errorf("a wrong secret is answered with %d", status)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestCommand(t *testing.T) {
	for name, args := range map[string][]string{
		"hash": {"-workers", "1"}, "own-hash": {"-workers", "1"}, "sign": {"-alg", "ES256"}, "lite": {"-workers", "8", "-sqlite", filepath.Join(t.TempDir(), "x.db")},
	} {
		var out bytes.Buffer
		if err := Command(t.Context(), append([]string{name, "-for", "50ms"}, args...), &out); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var a Answer
		if err := json.Unmarshal(out.Bytes(), &a); err != nil || a.Rate <= 0 {
			t.Errorf("%s: %s", name, out.Bytes())
		}
	}
	for _, args := range [][]string{nil, {"nothing"}, {"sign", "-alg", "none"}, {"serve", "-addr", "0.0.0.0:0"}, {"rotate", "-postgres", "http://x"}} {
		if err := Command(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v is done", args)
		}
	}
}

// TestGroup: every caller is answered, for its own row.
func TestGroup(t *testing.T) {
	most := 0
	g := newGroup(1, func(batch []*entry) error {
		most = max(most, len(batch))
		time.Sleep(time.Millisecond)
		for _, e := range batch {
			e.hit = e.old[0]%2 == 0
		}
		return nil
	})
	rate, err := each(t.Context(), 16, 100*time.Millisecond, func(i int) error {
		if hit, err := g.write([]byte{byte(i)}, nil); hit != (i%2 == 0) || err != nil {
			t.Errorf("caller %d: %v, %v", i, hit, err)
		}
		return nil
	})
	g.close()
	if err != nil || rate <= 0 || most < 2 {
		t.Errorf("%f/s, at most %d together (%v)", rate, most, err)
	}
}

func BenchmarkMint(b *testing.B) {
	for name, make := range map[string]func() (*signer, error){"ES256": newES256, "RS256": newRS256} {
		s, err := make()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.mint(ClientID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

//go:build unix

package server

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
)

// BenchmarkHot measures whole requests of the hot paths, from the server's edge
// to the last byte, without net/http and the network: what is left to save here.
func BenchmarkHot(b *testing.B) {
	s, err := New(context.Background(), settings(b, with("REGISTRATION=open", "RATE_LIMIT_API=1000000/second")...), Options{Log: NewLogger(NewLogWriter(io.Discard), slog.LevelInfo, "json")})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const form, js = "Content-Type: application/x-www-form-urlencoded", "Content-Type: application/json"
	client := func(format string) (basic string) {
		c, secret, err := s.parts.Store.CreateClient(b.Context(), keystone.System("bench"), keystone.Client{
			Name: "b" + format, Kind: keystone.ClientService, Enabled: true, Scopes: []string{keystone.UsersRead, keystone.AuditRead}, AccessTokenFormat: format,
		})
		if err != nil {
			b.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(c.ID, secret)
		return "Authorization: " + r.Header.Get("Authorization")
	}
	token := func(w *httptest.ResponseRecorder) string {
		var a struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.AccessToken == "" {
			b.Fatal(w.Body)
		}
		return a.AccessToken
	}
	jwt, opaque := client(keystone.FormatJWT), client(keystone.FormatOpaque)
	const ask = "grant_type=client_credentials&scope=users%3Aread+audit%3Aread"
	if w := send(s, "POST", "/api/v1/auth/register", `{"username":"ada","email":"ada@example.com","password":"correct horse battery staple","first_name":"Ada","last_name":"L"}`, js); w.Code != http.StatusCreated {
		b.Fatal(w.Body)
	}
	ada := token(send(s, "POST", "/api/v1/auth/login", `{"username":"ada","password":"correct horse battery staple"}`, js))
	seen := token(send(s, "POST", "/oauth2/token", ask, form, opaque))
	for _, bench := range []struct{ name, method, target, body, contentType, authorization string }{
		{"client_credentials ES256", "POST", "/oauth2/token", ask, form, jwt},
		{"client_credentials opaque", "POST", "/oauth2/token", ask, form, opaque},
		{"introspection seen before", "POST", "/oauth2/introspect", "token=" + seen, form, opaque},
		{"users/me seen before", "GET", "/api/v1/users/me", "", form, "Authorization: Bearer " + ada},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest(bench.method, bench.target, nil)
			for _, h := range []string{bench.contentType, bench.authorization} {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Set(name, value)
			}
			r.ContentLength = int64(len(bench.body))
			if w := send(s, bench.method, bench.target, bench.body, bench.contentType, bench.authorization); w.Code != http.StatusOK {
				b.Fatal(w.Code, w.Body)
			}
			before := cpuTime(b)
			for b.Loop() {
				r.Body = io.NopCloser(strings.NewReader(bench.body))
				s.ServeHTTP(&blank{make(http.Header)}, r)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

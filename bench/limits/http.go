package limits

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"
)

// The credentials that the token-shaped endpoints take.
const (
	ClientID     = "0197a1c0-0000-7000-8000-000000000001"
	ClientSecret = "ks_cs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

// endpoints is the server of bare limits.
type endpoints struct {
	secret [sha256.Size]byte
	es     *signer
	rs     *signer
	tables *tables // nil without PostgreSQL
}

// NewServer returns the server of the bare limits: /empty, /token, /es256,
// /rs256, and with a PostgreSQL URL what stands in tables.go. It is ready to
// serve at full speed; Close ends what it has opened.
func NewServer(ctx context.Context, postgres string) (*Server, error) {
	e := &endpoints{secret: sha256.Sum256([]byte(ClientSecret))}
	var err error
	if e.es, err = newES256(); err != nil {
		return nil, err
	}
	if e.rs, err = newRS256(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"hello":"world"}`))
	})
	mux.HandleFunc("POST /token", e.token)
	mux.HandleFunc("POST /es256", e.signed(e.es))
	mux.HandleFunc("POST /rs256", e.signed(e.rs))
	if postgres != "" {
		if e.tables, err = newTables(ctx, postgres); err != nil {
			return nil, err
		}
		e.tableRoutes(mux)
		e.flowRoutes(mux)
	}
	return &Server{http: http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, endpoints: e}, nil
}

// Server is the server of the bare limits.
type Server struct {
	http      http.Server
	endpoints *endpoints
}

// Serve serves until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = s.http.Close() })
	defer stop()
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close closes the database.
func (s *Server) Close() {
	if s.endpoints.tables != nil {
		s.endpoints.tables.close()
	}
}

// answer is shaped like the answer of a token endpoint (RFC 6749 section 5.1).
type answer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
	JTI          string `json:"jti"`
}

const placeholder = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjAxOTdhMWMwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMiJ9." +
	"eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjgwMDAiLCJhdWQiOlsiaHR0cDovLzEyNy4wLjAuMTo4MDAwIl0sInN1YiI6IjAxOTdhMWMwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMSIsImV4cCI6MTc2MDAwMDkwMCwiaWF0IjoxNzYwMDAwMDAwfQ." +
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// client reads what every token endpoint reads: HTTP Basic and a form.
func client(r *http.Request) (id, secret string, ok bool) {
	id, secret, ok = r.BasicAuth()
	return id, secret, ok && r.ParseForm() == nil
}

// token is the shape alone: Basic header and form in, JSON out, no work. The
// published limits scale by its rate.
func (e *endpoints) token(w http.ResponseWriter, r *http.Request) {
	if _, _, ok := client(r); !ok || r.PostForm.Get("grant_type") == "" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	write(w, answer{AccessToken: placeholder})
}

// signed is a stateless token endpoint: the secret compared by its digest, one
// signature.
func (e *endpoints) signed(s *signer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, ok := e.prove(r)
		if !ok {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		jwt, err := s.mint(id)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		write(w, answer{AccessToken: jwt})
	}
}

func (e *endpoints) prove(r *http.Request) (id string, ok bool) {
	id, secret, ok := client(r)
	sum := sha256.Sum256([]byte(secret))
	return id, ok && subtle.ConstantTimeCompare(sum[:], e.secret[:]) == 1
}

func write(w http.ResponseWriter, a answer) {
	a.TokenType, a.ExpiresIn, a.Scope, a.JTI = "Bearer", 900, "orders:read orders:write", ClientID
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(a)
}

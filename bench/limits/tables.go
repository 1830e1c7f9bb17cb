package limits

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Tokens is how many opaque tokens /introspect knows, /revoke takes and users
// /me reads: KnownToken(0) to KnownToken(Tokens-1).
const Tokens = 50_000

// KnownToken returns the name of an opaque token that is there from the start.
func KnownToken(i int) string { return "token-" + strconv.Itoa(i) }

// tables is the stateful part: one statement for each operation.
type tables struct {
	pool    *pgxpool.Pool
	rotate  *group
	insert  *group
	codes   *group
	opaque  sync.Map // token -> answer, for /introspect-seen
	persons sync.Map // access token -> answer, for /me-seen
}

func newTables(ctx context.Context, url string) (*tables, error) {
	pool, err := openPool(ctx, url)
	if err != nil {
		return nil, err
	}
	now := time.Now().UnixMicro()
	_, err = pool.CopyFrom(ctx, pgx.Identifier{"opaque"}, []string{"hash", "client_id", "scopes", "issued_at", "expires_at"},
		pgx.CopyFromSlice(Tokens, func(i int) ([]any, error) {
			sum := sha256.Sum256([]byte(KnownToken(i)))
			return []any{sum[:], ClientID, "orders:read orders:write", now, now + int64(time.Hour/time.Microsecond)}, nil
		}))
	if err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	if _, err := pool.Exec(ctx, `INSERT INTO person VALUES ($1, 'jane', TRUE, 'orders:read orders:write')`, ClientID); err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	return &tables{pool: pool, rotate: rotator(ctx, pool), insert: inserter(ctx, pool), codes: coder(ctx, pool)}, nil
}

func (t *tables) close() {
	t.rotate.close()
	t.insert.close()
	t.codes.close()
	t.pool.Close()
}

func (e *endpoints) tableRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /opaque", e.proved(e.newOpaque))
	mux.HandleFunc("POST /refresh-start", e.proved(e.startRefresh))
	mux.HandleFunc("POST /refresh", e.proved(e.refresh))
	mux.HandleFunc("POST /introspect", e.proved(e.introspect))
	mux.HandleFunc("POST /introspect-seen", e.proved(e.introspectSeen))
	mux.HandleFunc("POST /revoke", e.proved(e.revoke))
	mux.HandleFunc("GET /me", e.me)
	mux.HandleFunc("GET /me-seen", e.meSeen)
}

func (e *endpoints) proved(h func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, ok := e.prove(r); !ok {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		if err := h(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

func digest(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// newOpaque stores an opaque token, grouped, before it answers.
func (e *endpoints) newOpaque(w http.ResponseWriter, _ *http.Request) error {
	token := b64.EncodeToString(random())
	_, err := e.tables.insert.write(nil, digest(token))
	write(w, answer{AccessToken: token})
	return err
}

func (e *endpoints) startRefresh(w http.ResponseWriter, r *http.Request) error {
	token := b64.EncodeToString(random())
	_, err := e.tables.pool.Exec(r.Context(), `INSERT INTO refresh (hash, family, used, created_at) VALUES ($1, $1, FALSE, 0)`, digest(token))
	write(w, answer{AccessToken: placeholder, RefreshToken: token})
	return err
}

// refresh rotates, grouped, and signs an ES256 access token.
func (e *endpoints) refresh(w http.ResponseWriter, r *http.Request) error {
	next := b64.EncodeToString(random())
	hit, err := e.tables.rotate.write(digest(r.PostForm.Get("refresh_token")), digest(next))
	if err == nil && !hit {
		err = errNotRotated
	}
	if err != nil {
		return err
	}
	jwt, err := e.es.mint(ClientID)
	write(w, answer{AccessToken: jwt, RefreshToken: next})
	return err
}

// introspect is one read by primary key.
func (e *endpoints) introspect(w http.ResponseWriter, r *http.Request) error {
	var client, scopes string
	var issued, expires int64
	err := e.tables.pool.QueryRow(r.Context(), `SELECT client_id, scopes, issued_at, expires_at FROM opaque WHERE hash = $1`,
		digest(r.PostForm.Get("token"))).Scan(&client, &scopes, &issued, &expires)
	if err != nil {
		return err
	}
	writeActive(w, client, scopes, issued, expires)
	return nil
}

func writeActive(w http.ResponseWriter, client, scopes string, issued, expires int64) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"active":true,"client_id":%q,"scope":%q,"iat":%d,"exp":%d}`, client, scopes, issued/1e6, expires/1e6)
}

// introspectSeen answers from memory what it was asked before.
func (e *endpoints) introspectSeen(w http.ResponseWriter, r *http.Request) error {
	token := r.PostForm.Get("token")
	if _, seen := e.tables.opaque.Load(token); !seen {
		e.tables.opaque.Store(token, struct{}{})
		return e.introspect(w, r)
	}
	writeActive(w, ClientID, "orders:read orders:write", 0, time.Now().UnixMicro())
	return nil
}

// revoke is one durable insert.
func (e *endpoints) revoke(w http.ResponseWriter, r *http.Request) error {
	_, err := e.tables.pool.Exec(r.Context(), `INSERT INTO revoked (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		digest(r.PostForm.Get("token")), time.Now().UnixMicro())
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{}"))
	return err
}

// me verifies an ES256 token and reads its user.
func (e *endpoints) me(w http.ResponseWriter, r *http.Request) {
	sub, err := e.es.verify(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var name, scopes string
	err = e.tables.pool.QueryRow(r.Context(), `SELECT name, scopes FROM person WHERE id = $1 AND enabled`, sub).Scan(&name, &scopes)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"sub":%q,"name":%q,"scope":%q}`, sub, name, scopes)
}

// meSeen answers from memory for a token that was seen before.
func (e *endpoints) meSeen(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("Authorization")
	if _, seen := e.tables.persons.Load(token); !seen {
		e.tables.persons.Store(token, struct{}{})
		e.me(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"sub":"` + ClientID + `","name":"jane","scope":"orders:read orders:write"}`))
}

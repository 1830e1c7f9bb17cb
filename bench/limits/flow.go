package limits

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A bare code flow is what no server of code flows can leave out: the session is
// read, the code is stored, the code is used once and becomes a refresh token, and
// two tokens are signed. Nothing is checked, counted or recorded.

// coder groups inserts of codes, two writers.
func coder(ctx context.Context, pool *pgxpool.Pool) *group {
	return newGroup(2, func(batch []*entry) error {
		hashes := make([][]byte, len(batch))
		for i, e := range batch {
			hashes[i], e.hit = e.new, true
		}
		_, err := pool.Exec(ctx, `INSERT INTO refresh (hash, family, used, created_at) SELECT x, x, FALSE, $2::bigint FROM unnest($1::bytea[]) AS x`, hashes, time.Now().UnixMicro())
		return err
	})
}

func (e *endpoints) flowRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /flow", e.code)
	mux.HandleFunc("POST /flow-es256", e.redeemed(e.es))
	mux.HandleFunc("POST /flow-rs256", e.redeemed(e.rs))
}

// code reads the session of the cookie and sends the browser back with a code.
func (e *endpoints) code(w http.ResponseWriter, r *http.Request) {
	var name, scopes string
	err := e.tables.pool.QueryRow(r.Context(), `SELECT name, scopes FROM person WHERE id = $1 AND enabled`, ClientID).Scan(&name, &scopes)
	code := b64.EncodeToString(random())
	if err == nil {
		_, err = e.tables.codes.write(nil, digest(code))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Location", r.FormValue("redirect_uri")+"?code="+code)
	w.WriteHeader(http.StatusSeeOther)
}

// redeemed uses a code and signs an ES256 access token and an ID token.
func (e *endpoints) redeemed(id *signer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		next := b64.EncodeToString(random())
		hit, err := e.tables.rotate.write(digest(r.PostFormValue("code")), digest(next))
		if err == nil && !hit {
			err = errNotRotated
		}
		a := answer{RefreshToken: next}
		if err == nil {
			a.AccessToken, err = e.es.mint(ClientID)
		}
		if err == nil {
			a.IDToken, err = id.mint(ClientID)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		write(w, a)
	}
}

package verify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

type claimsKey struct{}

// ClaimsFrom returns the claims of the token that [Verifier.Require] accepted
// for this request.
func ClaimsFrom(ctx context.Context) (*Claims, bool) {
	c, ok := ctx.Value(claimsKey{}).(*Claims)
	return c, ok
}

// Require returns middleware that lets a request through only with a valid
// access token that holds all the scopes. With no scopes, any valid token of
// the audience will do.
//
// The token is taken from the one Authorization header and from nowhere else,
// never from the query or the body. Others get the answers of RFC 6750
// section 3: 400 invalid_request, 401 with a challenge (invalid_token where
// there was a token), 403 insufficient_scope, and 503 where the issuer's keys
// cannot be fetched; and those of RFC 9449 section 7.1 where the token came, or
// should have come, with a DPoP proof.
//
// Require panics if a scope is not one (RFC 6749 section 3.3).
func (v *Verifier) Require(scopes ...string) func(http.Handler) http.Handler {
	for _, s := range scopes {
		if !isScope(s) {
			panic("verify: Require: a scope must be printable ASCII without space, quote and backslash")
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			claims, err := v.VerifyRequest(r)
			for _, s := range scopes {
				if err == nil && !claims.HasScope(s) {
					err = errScope
				}
			}
			if err != nil {
				v.answer(w, r, err, scopes)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, claims)))
		})
	}
}

var (
	errNoToken   = errors.New("no token")
	errAmbiguous = errors.New("more than one Authorization header, or a malformed one")
	errScope     = errors.New("insufficient scope")
)

// presented returns the token of the Authorization header, and whether it came
// under the scheme DPoP (RFC 6750 section 2.1, RFC 9449 section 7.1).
func presented(r *http.Request) (token string, dpop bool, err error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return "", false, errNoToken
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	token = strings.TrimLeft(token, " ") // RFC 9110 section 11.4
	dpop = strings.EqualFold(scheme, "DPoP")
	switch {
	case len(headers) > 1:
		return "", dpop, errAmbiguous
	case !dpop && !strings.EqualFold(scheme, "Bearer"):
		return "", false, errNoToken
	case token == "" || strings.ContainsAny(token, " ,\t"):
		return "", dpop, errAmbiguous
	}
	return token, dpop, nil
}

func (v *Verifier) answer(w http.ResponseWriter, r *http.Request, err error, scopes []string) {
	var (
		status    = http.StatusUnauthorized
		code      string
		text      string
		challenge = `Bearer realm="` + v.issuer + `"`
		dpop      = `DPoP realm="` + v.issuer + `", algs="` + strings.Join(proofAlgorithms, " ") + `"`
	)
	if _, scheme, _ := presented(r); scheme || errors.Is(err, errBound) {
		challenge = dpop
	}
	switch {
	case errors.Is(err, errNoToken):
		// RFC 6750 section 3.1: who did not try to authenticate is told how,
		// and nothing else.
		text = "Send an access token in the Authorization header."
	case errors.Is(err, errAmbiguous):
		status, code, text = http.StatusBadRequest, "invalid_request", "Send one Authorization header with one access token."
	case errors.Is(err, errScope):
		status, code, text = http.StatusForbidden, "insufficient_scope", "The access token lacks a scope that this needs."
		challenge += `, scope="` + strings.Join(scopes, " ") + `"`
	case errors.Is(err, ErrExpired):
		code, text = "invalid_token", "The access token has expired. Get a new one."
	case errors.Is(err, ErrProof):
		code, text = "invalid_dpop_proof", "The DPoP proof was refused. Make a new one for this request and this access token."
	case errors.Is(err, errBound):
		code, text = "invalid_token", "The access token is bound to a key. Send it as Authorization: DPoP, with a proof."
	case errors.Is(err, ErrInvalid):
		code, text = "invalid_token", "The access token was refused. Get a new one for this audience."
	default:
		// Not the caller's fault, so no challenge: a new token would not help.
		status, code, text, challenge = http.StatusServiceUnavailable, "temporarily_unavailable", "The access token cannot be checked now. Try again later.", ""
		w.Header().Set("Retry-After", "5")
	}
	if challenge != "" {
		if v.metadata != "" {
			challenge += `, resource_metadata="` + v.metadata + `"`
		}
		if code != "" {
			challenge += `, error="` + code + `", error_description="` + text + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if code == "" {
		code = "authentication_failed"
		if v.base != "" {
			w.Header().Add("WWW-Authenticate", dpop)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A caller that went away is not ours to handle.
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": text})
}

// isScope says whether s is a scope-token (RFC 6749 section 3.3).
func isScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

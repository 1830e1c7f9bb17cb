package token

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// ProofAlgorithms are the algorithms of DPoP proofs that are taken: asymmetric
// ones only (RFC 9449 section 4.3, check 5).
var ProofAlgorithms = []string{keystone.ES256, keystone.EdDSA, keystone.PS256, keystone.RS256}

const (
	typeProof = "dpop+jwt"
	maxProof  = 8 << 10
	maxJTI    = 200
	// proofAge is how old a proof may be, proofAhead how far its sender's clock may
	// be ahead of ours (FAPI 2.0 Security Profile section 5.3.2.1 asks for 10 s).
	proofAge   = 60 * time.Second
	proofAhead = 10 * time.Second
	// proofMemory is how long a used proof is remembered: longer than any node can
	// take it for fresh, also one whose clock is behind.
	proofMemory = proofAge + proofAhead + time.Minute
)

// Proofs checks DPoP proofs (RFC 9449): that whoever sends a request holds a key.
type Proofs struct {
	store    *store.Store
	bases    []string // addresses under which requests reach us, normalised
	nonces   *nonces
	required bool // every proof must carry a nonce
}

// NewProofs returns the checker of proofs for requests to issuer, or to the
// address for clients with certificates where there is one: these decide and not
// the Host of a request, which may be a proxy's. required makes a nonce obligatory
// for every client (RFC 9449 section 8).
func NewProofs(s *store.Store, master secret.MasterKey, required bool, issuer string, alias ...string) *Proofs {
	p := &Proofs{store: s, nonces: newNonces(master), required: required}
	for _, base := range append([]string{issuer}, alias...) {
		p.bases = append(p.bases, strings.TrimSuffix(normalURL(base), "/"))
	}
	return p
}

// Shown is what a request shows of keys that its sender holds.
type Shown struct {
	Proofs []string     // values of the DPoP header
	Method string       // of the request
	Path   string       // of the request, escaped, below the issuer
	X5T    string       // thumbprint of the TLS client certificate; empty: none
	Nonce  func(string) // is told which nonce the next proof should carry; nil: nobody listens
}

// Sender is the keys that the sender of a request holds.
type Sender struct {
	keystone.Confirmation
	Alg     string // of the proof; empty: there was none
	hash    []byte // of the proof, by which it is known again
	expires time.Time
}

func badProof(why string) *keystone.Error {
	return keystone.Fail(keystone.Invalid, why).WithCode("invalid_dpop_proof")
}

var (
	errProofCount    = badProof("Send one DPoP header with one proof in it (RFC 9449 section 4.3).")
	errProofForm     = badProof("The DPoP proof is not a JWT of type dpop+jwt with alg and jwk in its header (RFC 9449 section 4.2).")
	errProofAlg      = badProof("The DPoP proof's alg is not one of dpop_signing_alg_values_supported.")
	errProofKey      = badProof("The jwk of the DPoP proof is not a public key for its alg: EC P-256, Ed25519, or RSA of 2048 to 4096 bits.")
	errProofSig      = badProof("The DPoP proof's signature is not one of its jwk.")
	errProofClaims   = badProof("The DPoP proof needs jti (at most 200 characters), htm, htu and iat (RFC 9449 section 4.2).")
	errProofRequest  = badProof("The DPoP proof is for another request: htm is the method, htu this address as the metadata gives it.")
	errProofTime     = badProof("The DPoP proof is too old or of the future: its iat may be 60 seconds old. Compare the clocks.")
	errProofToken    = badProof("The DPoP proof is for another access token: ath is the base64url SHA-256 of the token that is sent (RFC 9449 section 4.2).")
	errProofReplayed = badProof("This DPoP proof was used before. Make one for each request.")
	errProofNonce    = keystone.Fail(keystone.Invalid, "Put the nonce of the header DPoP-Nonce into the DPoP proof and send it again.").WithCode("use_dpop_nonce")
)

type proofHeader struct {
	Typ  string          `json:"typ"`
	Alg  string          `json:"alg"`
	JWK  json.RawMessage `json:"jwk"`
	Crit json.RawMessage `json:"crit"`
}

type proofClaims struct {
	JTI       string   `json:"jti"`
	Method    string   `json:"htm"`
	URL       string   `json:"htu"`
	Issued    *float64 `json:"iat"`
	NotBefore *float64 `json:"nbf"`
	Expires   *float64 `json:"exp"`
	Nonce     string   `json:"nonce"`
	TokenHash string   `json:"ath"`
}

// Sender returns the keys that a request shows. Where there is no proof it is
// the certificate alone. accessToken is the token that the proof must name (ath);
// empty where none is presented. nonce makes one obligatory for this request.
// That the proof was not used before is not asked here but by Spend, once
// everything else of the request is right.
func (p *Proofs) Sender(in Shown, accessToken string, nonce bool) (Sender, error) {
	s := Sender{Confirmation: keystone.Confirmation{X5T: in.X5T}}
	if len(in.Proofs) == 0 {
		return s, nil
	}
	if len(in.Proofs) > 1 {
		return s, errProofCount
	}
	header, claims, key, err := parseProof(in.Proofs[0])
	if err != nil {
		return s, err
	}
	now := p.store.Now()
	if err := p.match(in, claims, now, accessToken); err != nil {
		return s, err
	}
	if nonce = nonce || p.required; nonce || claims.Nonce != "" {
		if in.Nonce != nil {
			in.Nonce(p.nonces.at(now))
		}
		if !p.nonces.good(claims.Nonce, now) {
			return s, errProofNonce
		}
	}
	s.JKT, s.Alg, s.expires = key.thumbprint(), header.Alg, now.Add(proofMemory)
	sum := sha256.Sum256([]byte(s.JKT + "." + claims.JTI))
	s.hash = sum[:]
	return s, nil
}

// parseProof checks a proof's form and signature (RFC 9449 section 4.3, checks 2
// to 7).
func parseProof(raw string) (header proofHeader, claims proofClaims, key jwk, err error) {
	parts := strings.SplitN(raw, ".", 4)
	if len(raw) > maxProof || len(parts) != 3 {
		return header, claims, key, errProofForm
	}
	var decoded [3][]byte
	for n, part := range parts {
		decoded[n], err = b64.DecodeString(part)
		if err != nil || b64.EncodedLen(len(decoded[n])) != len(part) { // it skips line breaks: one proof has one spelling
			return header, claims, key, errProofForm
		}
	}
	if json.Unmarshal(decoded[0], &header) != nil || header.Typ != typeProof || header.Crit != nil || len(header.JWK) == 0 {
		return header, claims, key, errProofForm
	}
	if !isProofAlgorithm(header.Alg) {
		return header, claims, key, errProofAlg
	}
	if key, err = parseJWK(header.JWK, header.Alg); err != nil {
		return header, claims, key, err
	}
	if json.Unmarshal(decoded[1], &claims) != nil {
		return header, claims, key, errProofClaims
	}
	if !verifySignature(header.Alg, key.public, raw[:len(parts[0])+1+len(parts[1])], decoded[2]) {
		return header, claims, key, errProofSig
	}
	return header, claims, key, nil
}

func isProofAlgorithm(alg string) bool {
	for _, known := range ProofAlgorithms {
		if alg == known {
			return true
		}
	}
	return false
}

// match holds a proof's claims against the request (RFC 9449 section 4.3, checks
// 8 to 12).
func (p *Proofs) match(in Shown, c proofClaims, now time.Time, accessToken string) error {
	switch {
	case c.JTI == "" || len(c.JTI) > maxJTI || c.Method == "" || c.URL == "" || c.Issued == nil:
		return errProofClaims
	case c.Method != in.Method || !p.here(c.URL, in.Path):
		return errProofRequest
	case *c.Issued < float64(now.Add(-proofAge).Unix()) || *c.Issued > float64(now.Add(proofAhead).Unix()):
		return errProofTime
	case c.NotBefore != nil && *c.NotBefore > float64(now.Add(proofAhead).Unix()), c.Expires != nil && *c.Expires <= float64(now.Unix()):
		return errProofTime
	case accessToken != "" && !secret.Equal([]byte(c.TokenHash), []byte(fullHash(accessToken))):
		return errProofToken
	}
	return nil
}

func (p *Proofs) here(htu, path string) bool {
	sent := normalURL(htu)
	for _, base := range p.bases {
		if sent != "" && sent == normalURL(base+path) {
			return true
		}
	}
	return false
}

// Spend uses a proof up: of any number of simultaneous uses, on any nodes, one is
// taken (RFC 9449 section 11.1).
func (p *Proofs) Spend(ctx context.Context, s Sender) error { return spend(ctx, p.store, s) }

func spend(ctx context.Context, st *store.Store, s Sender) error {
	if s.hash == nil {
		return nil
	}
	first, err := st.FirstProof(ctx, s.hash, s.expires)
	if err == nil && !first {
		return errProofReplayed
	}
	return err
}

// fullHash is ath (RFC 9449 section 4.2).
func fullHash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return b64.EncodeToString(sum[:])
}

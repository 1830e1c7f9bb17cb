package verify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The algorithms that can be verified (RFC 7518 section 3.1, RFC 8037).
const (
	ES256 = "ES256" // ECDSA on P-256, Keystone's default
	EdDSA = "EdDSA" // Ed25519
	RS256 = "RS256" // RSA, PKCS #1 v1.5, 2048 bits or more
	PS256 = "PS256" // RSA-PSS, 2048 bits or more
)

var (
	// ErrInvalid is what every refused token's error wraps. Its text says which
	// check failed and repeats nothing of the token. Answer 401.
	ErrInvalid = errors.New("access token refused")

	// ErrExpired is wrapped, beside ErrInvalid, when the token was good once.
	ErrExpired = fmt.Errorf("%w: expired", ErrInvalid)

	// ErrProof is wrapped, beside ErrInvalid, when the DPoP proof that came with the
	// token is not good.
	ErrProof = fmt.Errorf("%w: DPoP proof", ErrInvalid)

	// ErrUnavailable is wrapped when nothing can be said about the token,
	// because the issuer's keys cannot be had. Answer 503.
	ErrUnavailable = errors.New("the issuer's keys cannot be fetched")
)

// Config says whose tokens are accepted, and for whom. The zero value of every
// field but Issuer and Audience is a sensible one.
type Config struct {
	// Issuer is Keystone's issuer URL, exactly as in its metadata and in the
	// iss of its tokens. Required; https, or http on a loopback address.
	Issuer string

	// Audience is what a token's aud must contain: the name of the API that
	// asks, as registered with its clients. Required: without it any token of
	// the issuer, meant for anyone, would be accepted.
	Audience string

	// JWKSURL is where the keys are. If empty, it is taken from the issuer's
	// metadata (RFC 8414), or is Issuer + "/oauth2/jwks" where there is none.
	JWKSURL string

	// ResourceMetadata is the address of the API's protected resource metadata
	// (RFC 9728), which refusals then name; see [Verifier.ResourceMetadata]. If
	// empty, they name none.
	ResourceMetadata string

	// Algorithms that are accepted. All four if empty.
	Algorithms []string

	// Leeway for the clocks of two machines. 10 s if zero, none if negative,
	// one minute at most.
	Leeway time.Duration

	// HTTPClient fetches metadata and keys; redirects are never followed. If
	// nil, a client with a timeout of five seconds.
	HTTPClient *http.Client

	// RefetchInterval is the least time between two fetches, however many
	// tokens with unknown keys arrive and however long the issuer is away. 5 s
	// if zero, 1 s at least, 30 s at most.
	RefetchInterval time.Duration

	// URL is the address under which clients reach the API, without its paths: what
	// the proofs of bound tokens (DPoP) must name. The Host of a request is not
	// believed: whoever was shown a proof for their own server could send it. If
	// empty, it is taken from Audience where that is an https address; where neither
	// says it, tokens that are bound to a DPoP key are refused.
	URL string

	// FirstProof reports whether a DPoP proof is used for the first time. key names
	// the proof; it must be remembered until the given time, by all instances of the
	// API together, such as with SET key NX in Redis. If nil, each process remembers
	// its own, up to 200,000 at a time.
	FirstProof func(ctx context.Context, key string, until time.Time) (bool, error)

	// Certificate returns the TLS client certificate that a request came with, or
	// nil, for tokens that are bound to one. If nil, it is that of the connection
	// (the server asks with tls.Config.ClientAuth = tls.RequestClientCert); behind a
	// proxy that ends TLS it is what the proxy passes on, once it is sure that the
	// proxy did.
	Certificate func(*http.Request) *x509.Certificate

	// MaxStale is how long after their time keys stay in use while the issuer
	// cannot be reached. One hour if zero, not at all if negative.
	MaxStale time.Duration

	// Now is the clock. time.Now if nil.
	Now func() time.Time
}

// Verifier accepts or refuses access tokens. Make it once with [New]; it may
// be used by any number of goroutines.
type Verifier struct {
	issuer     string
	audience   string
	metadata   string // ResourceMetadata
	algorithms []string
	leeway     time.Duration
	now        func() time.Time
	keys       *keyCache

	base        string // of the addresses in proofs; empty: no proof is taken
	firstProof  func(ctx context.Context, key string, until time.Time) (bool, error)
	certificate func(*http.Request) *x509.Certificate
}

// New checks the configuration. It does not reach for the issuer: call
// [Verifier.Refresh] at start-up to learn early that it cannot be reached.
func New(c Config) (*Verifier, error) {
	issuer, err := fetchable(c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("verify: Issuer %w", err)
	}
	if issuer.RawQuery != "" || issuer.ForceQuery {
		return nil, errors.New("verify: Issuer must have no query, e.g. https://id.example.com")
	}
	if c.Audience == "" {
		return nil, errors.New("verify: Audience is required: set the name of your API as registered with its clients, e.g. https://api.example.com")
	}
	if c.JWKSURL != "" {
		if _, err := fetchable(c.JWKSURL); err != nil {
			return nil, fmt.Errorf("verify: JWKSURL %w", err)
		}
	}
	if c.ResourceMetadata != "" {
		u, err := fetchable(c.ResourceMetadata)
		if err != nil {
			return nil, fmt.Errorf("verify: ResourceMetadata %w", err)
		}
		c.ResourceMetadata = u.String() // no quote in it ends the challenge
	}
	known := []string{ES256, EdDSA, RS256, PS256}
	if len(c.Algorithms) == 0 {
		c.Algorithms = known
	}
	for _, alg := range c.Algorithms {
		if !slices.Contains(known, alg) {
			return nil, fmt.Errorf("verify: Algorithms may name only %s", strings.Join(known, ", "))
		}
	}
	if c.Leeway > time.Minute {
		return nil, errors.New("verify: Leeway must be one minute or less: set the clocks right instead")
	}
	base, err := baseOf(c)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	leeway := orDefault(c.Leeway, 10*time.Second)
	if c.FirstProof == nil {
		c.FirstProof = newProofMemory(c.Now, proofAge+2*leeway).first
	}
	if c.Certificate == nil {
		c.Certificate = ofConnection
	}
	return &Verifier{
		base: base, firstProof: c.FirstProof, certificate: c.Certificate,
		issuer:     c.Issuer,
		audience:   c.Audience,
		metadata:   c.ResourceMetadata,
		algorithms: slices.Clone(c.Algorithms),
		leeway:     leeway,
		now:        c.Now,
		keys: &keyCache{
			source:   source{issuer: c.Issuer, base: issuer, jwksURL: c.JWKSURL, client: clientFor(c.HTTPClient)},
			interval: min(max(orDefault(c.RefetchInterval, 5*time.Second), time.Second), 30*time.Second),
			maxStale: orDefault(c.MaxStale, time.Hour),
			now:      c.Now,
		},
	}, nil
}

// Refresh fetches the keys now.
func (v *Verifier) Refresh(ctx context.Context) error { return v.keys.refresh(ctx) }

// Verify returns what a token says, or an error that wraps [ErrInvalid],
// [ErrUnavailable] or the context's. token is the bare token, without "Bearer".
// Which scopes it must hold is the caller's to check: [Claims.HasScope]. A token
// that is bound to a key is refused: nothing here shows that the caller holds it.
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	c, err := v.claims(ctx, token)
	if err == nil && c.bound {
		return nil, refuse("it is bound to a key of the caller, which cannot be checked here")
	}
	return c, err
}

// claims is Verify without asking who holds the token.
func (v *Verifier) claims(ctx context.Context, token string) (*Claims, error) {
	t, err := parse(token)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(v.algorithms, t.header.alg) {
		return nil, refuse("its algorithm is not among the accepted ones")
	}
	k, err := v.keys.find(ctx, t.header.kid, t.header.alg)
	if err != nil {
		return nil, err
	}
	// Nothing of the claims is read before this line.
	if !k.verify(t.header.alg, t.signed, t.signature) {
		return nil, refuse("its signature is wrong")
	}
	c, err := decodeClaims(t.payload)
	if err != nil {
		return nil, err
	}
	if err := v.check(c); err != nil {
		return nil, err
	}
	return c, nil
}

// check holds the claims against the configuration (RFC 9068 section 4).
func (v *Verifier) check(c *Claims) error {
	now := v.now()
	switch {
	case c.Issuer != v.issuer:
		return refuse("another issuer made it")
	case !slices.Contains(c.Audience, v.audience):
		return refuse("it is meant for another audience")
	case !now.Before(c.ExpiresAt.Add(v.leeway)):
		return ErrExpired
	case c.NotBefore.After(now.Add(v.leeway)), c.IssuedAt.After(now.Add(v.leeway)):
		return refuse("it is not valid yet; compare the clocks")
	}
	return nil
}

func refuse(why string) error { return fmt.Errorf("%w: %s", ErrInvalid, why) }

// fetchable parses a URL that keys may be fetched from: nobody on the way may
// be able to exchange them.
func fetchable(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(s, "\"\\# ") {
		return nil, errors.New("must be an absolute URL, e.g. https://id.example.com")
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return nil, errors.New("must be https, or http on a loopback address")
	}
	return u, nil
}

// orDefault reads a duration where zero means the default and less means none.
func orDefault(d, byDefault time.Duration) time.Duration {
	if d == 0 {
		return byDefault
	}
	return max(d, 0)
}

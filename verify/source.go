package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody = 256 << 10 // of metadata and key sets

	// How long keys are kept is the issuer's to say, within these bounds.
	minAge     = time.Minute
	maxAge     = 24 * time.Hour
	defaultAge = 10 * time.Minute
)

// source fetches the key set of one issuer. One fetch runs at a time.
type source struct {
	issuer  string
	base    *url.URL // the issuer, parsed
	jwksURL string   // as configured
	client  *http.Client

	found string // as the metadata said; forgotten when a fetch fails
}

// clientFor returns a client that follows no redirect: an open redirect at
// the issuer must not choose the keys.
func clientFor(c *http.Client) *http.Client {
	own := http.Client{Timeout: 5 * time.Second}
	if c != nil {
		own = *c
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// fetch returns the issuer's keys and how long they may be kept.
func (s *source) fetch(ctx context.Context) (map[keyName]*publicKey, time.Duration, error) {
	address, err := s.locate(ctx)
	if err != nil {
		return nil, 0, err
	}
	body, header, err := s.get(ctx, address)
	if err != nil {
		s.found = ""
		return nil, 0, fmt.Errorf("%w: key set: %w", ErrUnavailable, err)
	}
	keys, err := decodeKeySet(body)
	if err != nil {
		s.found = ""
		return nil, 0, fmt.Errorf("%w: key set: %w", ErrUnavailable, err)
	}
	return keys, ageFrom(header), nil
}

// locate returns where the key set is: as configured, as the metadata says
// (RFC 8414), or where Keystone has it.
func (s *source) locate(ctx context.Context) (string, error) {
	if s.jwksURL != "" {
		return s.jwksURL, nil
	}
	if s.found != "" {
		return s.found, nil
	}
	at := *s.base // RFC 8414 section 3.1: between the host and the issuer's path
	at.Path, at.RawPath = "/.well-known/oauth-authorization-server"+strings.TrimSuffix(s.base.Path, "/"), ""
	body, _, err := s.get(ctx, at.String())
	var status statusError
	if errors.As(err, &status) && status == http.StatusNotFound {
		return strings.TrimSuffix(s.issuer, "/") + "/oauth2/jwks", nil
	}
	if err != nil {
		return "", fmt.Errorf("%w: metadata: %w", ErrUnavailable, err)
	}
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if json.Unmarshal(body, &metadata) != nil || metadata.Issuer != s.issuer {
		return "", fmt.Errorf("%w: the metadata is not this issuer's (RFC 8414 section 3.3)", ErrUnavailable)
	}
	if u, err := fetchable(metadata.JWKSURI); err != nil || s.base.Scheme == "https" && u.Scheme != "https" {
		return "", fmt.Errorf("%w: the metadata names no jwks_uri that can be trusted", ErrUnavailable)
	}
	s.found = metadata.JWKSURI
	return s.found, nil
}

// statusError is an answer other than 200.
type statusError int

func (s statusError) Error() string { return "status " + strconv.Itoa(int(s)) }

func (s *source) get(ctx context.Context, address string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, statusError(resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errors.New("the answer is too large")
	}
	return body, resp.Header, err
}

// ageFrom reads Cache-Control (RFC 9111 section 5.2.2) and Age.
func ageFrom(h http.Header) time.Duration {
	age := defaultAge
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minAge
		case "max-age":
			if n, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32); err == nil {
				age = time.Duration(n) * time.Second
			}
		}
	}
	if n, err := strconv.ParseInt(h.Get("Age"), 10, 32); err == nil && n > 0 {
		age -= time.Duration(n) * time.Second
	}
	return min(max(age, minAge), maxAge)
}

package verify

import (
	"encoding/base64"
	"strings"
)

// maxToken bounds what is decoded at all. Keystone's tokens are under 2 KiB.
const maxToken = 16 << 10

// compact is a JWS in compact serialization (RFC 7515 section 7.1), taken
// apart, with nothing believed yet.
type compact struct {
	header    header
	payload   []byte
	signed    []byte // what the signature is over
	signature []byte
}

// header holds the members that count. jku, jwk, x5u and x5c are not among
// them: a token cannot say which key to trust.
type header struct{ alg, kid, typ string }

// base64url without padding (RFC 7515 section 2), in its one spelling: two
// texts never decode to the same bytes.
var strict = base64.RawURLEncoding.Strict()

func parse(token string) (*compact, error) {
	c, head, err := split(token)
	if err != nil {
		return nil, err
	}
	c.header, err = decodeHeader(head)
	return c, err
}

// split takes a JWS apart. Its header is not read.
func split(token string) (c *compact, head []byte, err error) {
	if len(token) > maxToken {
		return nil, nil, refuse("it is too long")
	}
	for i := range len(token) {
		// The decoder skips line breaks; nothing outside the alphabet may pass.
		if c := token[i]; (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return nil, nil, refuse("it is not a signed JWT")
		}
	}
	// An encrypted token (RFC 7516) has five parts and is not taken.
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, refuse("it is not a signed JWT")
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = strict.DecodeString(part); err != nil || len(part) == 0 {
			return nil, nil, refuse("it is not a signed JWT")
		}
	}
	return &compact{
		payload:   decoded[1],
		signed:    []byte(token[:len(parts[0])+1+len(parts[1])]),
		signature: decoded[2],
	}, decoded[0], nil
}

func decodeHeader(text []byte) (h header, err error) {
	critical := false
	err = members(text, func(name string, value []byte) (ok bool) {
		switch name {
		case "alg":
			h.alg, ok = asString(value)
		case "kid":
			h.kid, ok = asString(value)
		case "typ":
			h.typ, ok = asString(value)
		case "crit":
			critical, ok = true, true
		default:
			ok = true
		}
		return ok
	})
	if err != nil {
		return h, err
	}
	if critical {
		// RFC 7515 section 4.1.11: extensions that are not understood, and
		// none is.
		return h, refuse("its header has critical extensions")
	}
	// RFC 9068 section 4: an ID token or any other JWT of the same issuer must
	// not pass for an access token.
	if typ := strings.ToLower(h.typ); typ != "at+jwt" && typ != "application/at+jwt" {
		return h, refuse("it is not an access token (typ at+jwt)")
	}
	if h.kid == "" {
		return h, refuse("it does not name its key")
	}
	return h, nil
}

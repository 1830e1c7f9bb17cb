package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

const redacted = "[redacted]"

// secretNames are parts of attribute names whose values are never logged.
var secretNames = []string{"password", "passwd", "secret", "token", "authorization", "cookie", "assertion", "credential", "private", "master_key", "passphrase", "otp", "signature"}

// plainNames are those of every line, so that the common case is one look-up.
var plainNames = map[string]bool{
	slog.TimeKey: true, slog.LevelKey: true, slog.MessageKey: true, "request_id": true, "method": true, "route": true, "status": true,
	"duration_us": true, "bytes": true, "source": true, "actor": true, "actor_kind": true, "client": true, "refused": true, "error": true,
}

// harmlessNames contain one of them and are no secret.
var harmlessNames = map[string]bool{"token_type": true, "token_count": true, "tokens": true, "token_endpoint": true, "passwords": true}

// redactAttr is the last look at every attribute before it is written: by name,
// then by what the text looks like.
func redactAttr(_ []string, a slog.Attr) slog.Attr {
	if !plainNames[a.Key] && secretName(a.Key) {
		if a.Value.Kind() == slog.KindString && a.Value.String() == "" {
			return a
		}
		switch a.Value.Kind() {
		case slog.KindBool, slog.KindDuration, slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindTime:
			return a // counts and switches
		}
		return slog.String(a.Key, redacted)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		if s := a.Value.String(); suspicious(s) {
			return slog.String(a.Key, Redact(s))
		}
	case slog.KindAny:
		return slog.Attr{Key: a.Key, Value: redactAny(a.Value.Any())}
	}
	return a
}

func redactAny(v any) slog.Value {
	switch v := v.(type) {
	case nil:
		return slog.AnyValue(nil)
	case error:
		return slog.StringValue(Redact(v.Error()))
	case slog.Level:
		return slog.StringValue(v.String()) // cheaper to write than as any
	case *slog.Source:
		return slog.AnyValue(v)
	case fmt.Stringer:
		return slog.StringValue(Redact(v.String()))
	case []string:
		clean := make([]string, len(v))
		for i, s := range v {
			clean[i] = Redact(s)
		}
		return slog.AnyValue(clean)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return slog.StringValue(Redact(fmt.Sprintf("%+v", v)))
	}
	if s := string(b); suspicious(s) {
		return slog.StringValue(Redact(s))
	}
	return slog.AnyValue(json.RawMessage(b))
}

func secretName(key string) bool {
	if len(key) < 3 || harmlessNames[key] {
		return false
	}
	lower := strings.ToLower(key)
	for _, name := range secretNames {
		if strings.Contains(lower, name) {
			return true
		}
	}
	return false
}

// Prefixes of Keystone's own bearer values, of JWTs and of what stands before a
// secret in headers, forms and URLs.
var (
	tokenPrefixes = []string{"ks_", "eyJ"}
	secretWords   = []string{"password", "passwd", "secret", "token", "assertion", "authorization", "cookie", "code_verifier"}
)

// suspicious is the cheap first look: almost every text passes it.
func suspicious(s string) bool {
	if len(s) < 6 {
		return false
	}
	for i := 0; i < len(s)-3; i++ {
		switch s[i] {
		case 'k', 'K':
			if s[i+1] == 's' && s[i+2] == '_' {
				return true
			}
		case 'e':
			if s[i+1] == 'y' && s[i+2] == 'J' {
				return true
			}
		case '=', ':', '"', ' ':
			return true // rare in what the server writes; looked at more closely
		}
	}
	return false
}

// Redact takes out of a text what looks like a secret: Keystone's tokens, JWTs,
// values after a name such as password= or "client_secret":, credentials in
// Authorization headers and in URLs.
func Redact(s string) string {
	if !suspicious(s) {
		return s
	}
	s = redactNamed(s)
	s = redactURLs(s)
	for _, prefix := range tokenPrefixes {
		s = redactPrefixed(s, prefix)
	}
	return s
}

// redactPrefixed replaces words that start with prefix, keeping the prefix where
// it says which kind of value it was.
func redactPrefixed(s, prefix string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, prefix)
		if i < 0 {
			if b.Len() == 0 {
				return s
			}
			b.WriteString(s)
			return b.String()
		}
		end := i + len(prefix)
		for end < len(s) && tokenByte(s[end]) {
			end++
		}
		if end-i < 12 || i > 0 && wordByte(s[i-1]) { // a word such as "ks_db", or the middle of one
			b.WriteString(s[:end])
		} else {
			b.WriteString(s[:i])
			b.WriteString(redacted)
		}
		s = s[end:]
	}
}

func tokenByte(c byte) bool { return wordByte(c) || c == '-' || c == '.' || c == '~' }

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// redactNamed replaces what follows a secret's name and = or :, up to the end of
// the value.
func redactNamed(s string) string {
	lower := lowerASCII(s)
	for _, word := range secretWords {
		from := 0
		for {
			i := strings.Index(lower[from:], word)
			if i < 0 {
				break
			}
			at := from + i + len(word)
			from = at
			start, end, ok := namedValue(s, at)
			if !ok {
				continue
			}
			s = s[:start] + redacted + s[end:]
			lower = lowerASCII(s)
			from = start + len(redacted)
		}
	}
	return s
}

// lowerASCII keeps every byte in its place, which letters whose lower case is longer
// or shorter would not.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// namedValue finds the value that belongs to a name that ends at i: after = or :
// with quotes and spaces between, and after the scheme of an Authorization
// header.
func namedValue(s string, i int) (start, end int, ok bool) {
	for i < len(s) && (wordByte(s[i]) || s[i] == '"' || s[i] == '\\' || s[i] == '\'') {
		i++ // the rest of the name, as in token_hint, and its closing quote
	}
	if i >= len(s) || s[i] != '=' && s[i] != ':' {
		return 0, 0, false
	}
	i++
	quoted := false
	for i < len(s) && (s[i] == ' ' || s[i] == '"' || s[i] == '\\' || s[i] == '\'' || s[i] == '[') {
		quoted = quoted || s[i] == '"' || s[i] == '\''
		i++
	}
	for _, scheme := range []string{"bearer ", "basic ", "dpop "} {
		if len(s)-i > len(scheme) && strings.EqualFold(s[i:i+len(scheme)], scheme) {
			i += len(scheme)
		}
	}
	start = i
	for i < len(s) {
		c := s[i]
		if quoted && (c == '"' || c == '\'') || !quoted && (c == '&' || c == ' ' || c == ',' || c == ';' || c == '\n' || c == '"' || c == '}') {
			break
		}
		i++
	}
	return start, i, i > start
}

// redactURLs replaces the password of user:password@host.
func redactURLs(s string) string {
	from := 0
	for {
		i := strings.Index(s[from:], "://")
		if i < 0 {
			return s
		}
		i += from + len("://")
		from = i
		end := i
		for end < len(s) && s[end] > ' ' && !strings.ContainsRune(`/?#"'`, rune(s[end])) {
			end++
		}
		at := strings.LastIndexByte(s[i:end], '@')
		if at < 0 {
			continue
		}
		colon := strings.IndexByte(s[i:i+at], ':')
		if colon < 0 {
			continue
		}
		s = s[:i+colon+1] + redacted + s[i+at:]
	}
}

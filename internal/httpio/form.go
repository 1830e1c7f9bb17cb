package httpio

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/keystone-auth/keystone"
)

// Bounds of a form.
const (
	MaxForm   = 64 << 10 // what OAuth endpoints read
	maxParams = 256
)

var (
	errFormQuery     = keystone.Fail(keystone.Invalid, "Send the parameters in the body. Nothing is read from the address, and secrets never belong there.")
	errFormDuplicate = keystone.Fail(keystone.Invalid, "A parameter occurs twice. Send each one once (RFC 6749 section 3.2).")
	errFormEscape    = keystone.Fail(keystone.Invalid, "The form is not well formed: percent-encode names and values as UTF-8, without NUL.")
	errFormParams    = keystone.Fail(keystone.Invalid, "The form has too many parameters.")
)

// Form reads the parameters of an OAuth endpoint (RFC 6749 section 3.2): the
// body of a POST as application/x-www-form-urlencoded and nothing else, at most
// limit bytes. A parameter without a value is as good as left out. One that
// occurs twice is refused, except resource and audience, which may repeat
// (RFC 8707, RFC 8693). Query parameters are refused.
func Form(r *http.Request, limit int64) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, errMethodNotAllowed
	}
	if r.URL.RawQuery != "" {
		return nil, errFormQuery
	}
	if !isForm(r.Header["Content-Type"]) {
		return nil, errFormType
	}
	b := getBuffer()
	defer putBuffer(b)
	if err := readBody(b, r, limit); err != nil {
		return nil, err
	}
	return parseForm(b.String())
}

// Query reads parameters that come in the address, by the rules of Form (RFC 6749
// section 3.1).
func Query(r *http.Request) (url.Values, error) { return parseForm(r.URL.RawQuery) }

// IsForm reports whether the body of a request is a form.
func IsForm(r *http.Request) bool { return isForm(r.Header["Content-Type"]) }

func isForm(values []string) bool {
	const form = "application/x-www-form-urlencoded"
	if len(values) != 1 {
		return false
	}
	media, params, _ := strings.Cut(values[0], ";")
	if media != form && !strings.EqualFold(strings.TrimSpace(media), form) {
		return false
	}
	if params == "" {
		return true
	}
	name, charset, _ := strings.Cut(strings.TrimSpace(params), "=")
	return strings.EqualFold(name, "charset") && strings.EqualFold(strings.Trim(charset, `"`), "utf-8")
}

// parseForm is url.ParseQuery for the hot path: it refuses what that lets
// through, and the values of all parameters share one allocation.
func parseForm(body string) (url.Values, error) {
	n := strings.Count(body, "&") + 1
	if n > maxParams {
		return nil, errFormParams
	}
	values := make([]string, 0, n)
	form := make(url.Values, n)
	for body != "" {
		var pair string
		pair, body, _ = strings.Cut(body, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, ok := unescape(name)
		if !ok {
			return nil, errFormEscape
		}
		value, ok = unescape(value)
		if !ok {
			return nil, errFormEscape
		}
		given, twice := form[name]
		switch {
		case twice && name != "resource" && name != "audience":
			return nil, errFormDuplicate
		case twice && given[0] == "":
			given[0] = value
		case twice:
			if value != "" {
				form[name] = append(given, value)
			}
		default:
			values = append(values, value)
			form[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	for name, given := range form {
		if len(given) == 1 && given[0] == "" {
			delete(form, name)
		}
	}
	return form, nil
}

// unescape decodes one name or value of a form and reports whether it is text.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') >= 0 || strings.IndexByte(s, '+') >= 0 {
		var err error
		if s, err = url.QueryUnescape(s); err != nil {
			return "", false
		}
	}
	return s, cleanText(s)
}

// cleanText reports whether s is UTF-8 without NUL: what every database and log
// can keep.
func cleanText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == 0 || c >= utf8.RuneSelf {
			return c != 0 && utf8.ValidString(s[i:]) && strings.IndexByte(s[i:], 0) < 0
		}
	}
	return true
}

package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Setting is one setting as people may see it.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"`  // in force; of secrets only whether they are set, of URLs neither user info nor query
	Source  string `json:"source"` // "default", "environment KEYSTONE_PORT", ".env line 3 PORT" …
	Default string `json:"default"`
	Help    string `json:"help"`
	Secret  bool   `json:"secret"`
}

// Redacted returns all settings, in the order of the documentation, without
// anything that must not be shown.
func (c *Config) Redacted() []Setting {
	var list []Setting
	for _, f := range fields() {
		s := Setting{Name: f.name, Value: f.text(c), Source: "default", Default: f.def, Help: f.help, Secret: f.secret}
		if o, ok := c.origins[f.name]; ok {
			s.Source = o.where + " " + o.name
		}
		if s.Default == "" {
			s.Default = f.auto
		}
		switch p := f.target(c).(type) {
		case *Secret:
			if strings.HasSuffix(f.name, "_URL") {
				s.Value = maskURL(p.Reveal())
			}
		default:
			s.Value = anyURL.ReplaceAllStringFunc(s.Value, maskWhole)
		}
		list = append(list, s)
	}
	return list
}

// anyURL finds the URLs in a setting, also in lists and in pairs.
var anyURL = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s,]*`)

// maskWhole hides user info and query of a URL. Where neither belongs into a setting,
// both are most likely a secret.
func maskWhole(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return redacted
	}
	if u.User != nil {
		u.User = url.User("xxxxx")
	}
	if u.RawQuery != "" {
		u.RawQuery = "xxxxx"
	}
	if u.Fragment != "" {
		u.Fragment, u.RawFragment = "xxxxx", ""
	}
	return u.String()
}

// maskURL hides the password of a URL and every parameter that may be one.
func maskURL(s string) string {
	if s == "" || !urlScheme.MatchString(s) && !strings.ContainsAny(s, "@?") {
		return s // a path
	}
	u, err := url.Parse(s)
	if err != nil {
		return redacted
	}
	query := u.Query()
	for name := range query {
		lower := strings.ToLower(name)
		for _, word := range []string{"pass", "secret", "token", "key"} {
			if strings.Contains(lower, word) {
				query[name] = []string{"xxxxx"}
			}
		}
	}
	if len(query) > 0 {
		u.RawQuery = query.Encode()
	}
	return u.Redacted()
}

// Format writes the settings redacted, one a line, for every verb.
func (c Config) Format(f fmt.State, _ rune) {
	for _, s := range c.Redacted() {
		_, _ = io.WriteString(f, s.Name+"="+s.Value+"\n")
	}
}

// MarshalJSON writes the settings redacted, as an object.
func (c Config) MarshalJSON() ([]byte, error) {
	values := map[string]string{}
	for _, s := range c.Redacted() {
		values[s.Name] = s.Value
	}
	return json.Marshal(values)
}

// LogValue returns the settings redacted, as a group.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, s := range c.Redacted() {
		attrs = append(attrs, slog.String(s.Name, s.Value))
	}
	return slog.GroupValue(attrs...)
}

// printable makes a name from outside harmless in a message.
func printable(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) && len(name) <= 80 {
		return name
	}
	return strings.Trim(shown(name), `"`)
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// entry is one NAME=value of a file or of the environment.
type entry struct {
	name, value string
	line        int // 0: not from a file
}

// parseFile reads NAME=value lines. The rules, all of them:
//
//   - Empty lines and lines that start with # are skipped. "export " may stand
//     before the name.
//   - An unquoted value ends at the end of the line or before " #", and loses
//     the spaces around it.
//   - In 'single quotes' everything is literal. In "double quotes" \n, \t, \"
//     and \\ are replaced. A quoted value ends on its line.
//   - Nothing is expanded: $ and ` are characters.
//
// Errors name the line and never repeat what is on it.
func parseFile(text string) (entries []entry, errs []error) {
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return nil, []error{errors.New("the file is not UTF-8 text")}
	}
	text = strings.TrimPrefix(text, "\ufeff")
	for i, line := range strings.Split(text, "\n") {
		line = strings.Trim(line, " \t\r")
		if line == "" || line[0] == '#' {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "export "); ok {
			line = strings.TrimLeft(rest, " \t")
		}
		name, raw, ok := strings.Cut(line, "=")
		name = strings.TrimRight(name, " \t")
		if !ok || !isName(name) {
			errs = append(errs, fmt.Errorf("line %d: is not NAME=value", i+1))
			continue
		}
		value, err := parseValue(raw)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: the value of %s %w", i+1, shown(name), err))
			continue
		}
		entries = append(entries, entry{name: name, value: value, line: i + 1})
	}
	return entries, errs
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func parseValue(raw string) (string, error) {
	trimmed := strings.TrimLeft(raw, " \t")
	if trimmed == "" || trimmed[0] != '"' && trimmed[0] != '\'' {
		for i := 1; i < len(raw); i++ {
			if raw[i] == '#' && (raw[i-1] == ' ' || raw[i-1] == '\t') {
				raw = raw[:i]
				break
			}
		}
		return strings.Trim(raw, " \t"), nil
	}

	quote := trimmed[0]
	var value strings.Builder
	for i := 1; i < len(trimmed); i++ {
		c := trimmed[i]
		switch {
		case c == quote:
			if rest := strings.TrimLeft(trimmed[i+1:], " \t"); rest != "" && rest[0] != '#' {
				return "", errors.New("goes on after its closing quote")
			}
			return value.String(), nil
		case c == '\\' && quote == '"':
			i++
			escaped, ok := byte(0), i < len(trimmed)
			if ok {
				escaped, ok = escapes[trimmed[i]]
			}
			if !ok {
				return "", errors.New(`has a backslash before something else than n, t, " or \`)
			}
			value.WriteByte(escaped)
		default:
			value.WriteByte(c)
		}
	}
	return "", errors.New("has no closing quote on its line")
}

var escapes = map[byte]byte{'n': '\n', 't': '\t', '"': '"', '\\': '\\'}

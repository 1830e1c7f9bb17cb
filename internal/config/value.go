package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// set reads text into the field of c. The error says what is wrong with the
// value and repeats it only where it cannot be a secret.
func (f field) set(c *Config, text string) (err error) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("has control characters or is not UTF-8")
	}
	if f.oneof != nil && !slices.Contains(f.oneof, text) {
		return fmt.Errorf("%s is not one of %s", shown(text), strings.Join(f.oneof, ", "))
	}
	switch p := f.target(c).(type) {
	case *string:
		*p = text
	case *Secret:
		*p = NewSecret(text)
	case *bool:
		*p, err = parseBool(text)
	case **bool:
		var b bool
		b, err = parseBool(text)
		*p = &b
	case *int:
		*p, err = f.number(text)
	case **int:
		var n int
		n, err = f.number(text)
		*p = &n
	case *time.Duration:
		*p, err = f.duration(text)
	case *Rate:
		*p, err = ParseRate(text)
	case *slog.Level:
		err = p.UnmarshalText([]byte(text))
	case *[]string:
		*p, err = parseList(text)
	case *[]netip.Prefix:
		*p, err = parsePrefixes(text)
	default:
		panic(fmt.Sprintf("config: %s has a type that nothing reads", f.name))
	}
	return err
}

// text is the reverse of set, for showing. Secrets are not revealed here.
func (f field) text(c *Config) string {
	switch p := f.target(c).(type) {
	case *string:
		return *p
	case **bool:
		if *p == nil {
			return ""
		}
		return strconv.FormatBool(**p)
	case **int:
		if *p == nil {
			return ""
		}
		return strconv.Itoa(**p)
	case *time.Duration:
		if f.unit != "" {
			return strconv.FormatInt(int64(*p/f.unitDuration()), 10)
		}
		return p.String()
	case *slog.Level:
		return strings.ToLower(p.String())
	case *[]string:
		return strings.Join(*p, ",")
	case *[]netip.Prefix:
		var list []string
		for _, prefix := range *p {
			list = append(list, prefix.String())
		}
		return strings.Join(list, ",")
	case *bool:
		return strconv.FormatBool(*p)
	case *int:
		return strconv.Itoa(*p)
	case fmt.Stringer: // *Secret, *Rate
		return p.String()
	default:
		panic(fmt.Sprintf("config: %s has a type that nothing shows", f.name))
	}
}

// shown quotes a value for an error message, and no more of it than helps: of what
// may be a URL neither user info nor query, in which people put passwords and keys.
func shown(text string) string {
	const most = 40
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		from := 0
		if i := strings.Index(text[:at], "://"); i >= 0 {
			from = i + len("://")
		}
		text = text[:from] + "xxxxx" + text[at:]
	}
	if head, _, found := strings.Cut(text, "?"); found {
		text = head + "?xxxxx"
	}
	if len(text) > most {
		return strconv.QuoteToASCII(strings.ToValidUTF8(text[:most], "")) + "…"
	}
	return strconv.QuoteToASCII(text)
}

// parseBool takes true, yes, on, 1 and their opposites.
func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither true nor false", shown(s))
}

func (f field) number(s string) (int, error) {
	n, err := strconv.Atoi(s)
	least, errMin := strconv.Atoi(f.min)
	most, errMax := strconv.Atoi(f.max)
	if errMin != nil || errMax != nil {
		panic("config: " + f.name + " has no bounds")
	}
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is not a whole number from %d to %d", shown(s), least, most)
	}
	return n, nil
}

func (f field) unitDuration() time.Duration {
	d, err := time.ParseDuration(f.unit)
	if err != nil {
		panic("config: unit of " + f.name + ": " + err.Error())
	}
	return d
}

func (f field) duration(s string) (time.Duration, error) {
	if f.unit != "" {
		n, err := f.number(s)
		return time.Duration(n) * f.unitDuration(), err
	}
	least, errMin := time.ParseDuration(f.min)
	most, errMax := time.ParseDuration(f.max)
	if errMin != nil || errMax != nil {
		panic("config: " + f.name + " has no bounds")
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < least || d > most {
		return 0, fmt.Errorf("%s is not a time from %s to %s, with its unit", shown(s), f.min, f.max)
	}
	return d, nil
}

// parseList reads a JSON list of strings, or values between commas. "[]" is
// the empty list.
func parseList(s string) ([]string, error) {
	var list []string
	if strings.HasPrefix(s, "[") {
		d := json.NewDecoder(bytes.NewReader([]byte(s)))
		if err := d.Decode(&list); err != nil || d.More() || d.InputOffset() != int64(len(s)) {
			return nil, errors.New("starts like a JSON list, but is not a list of strings")
		}
	} else {
		list = strings.Split(s, ",")
	}
	for i, item := range list {
		if list[i] = strings.TrimSpace(item); list[i] == "" {
			return nil, errors.New("has an empty entry")
		}
	}
	return list, nil
}

func parsePrefixes(s string) ([]netip.Prefix, error) {
	list, err := parseList(s)
	if err != nil {
		return nil, err
	}
	var prefixes []netip.Prefix
	for _, item := range list {
		p, err := netip.ParsePrefix(item)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(item); err == nil && a.Zone() == "" {
				p = netip.PrefixFrom(a, a.BitLen())
			} else {
				return nil, fmt.Errorf("%s is neither a network (CIDR) nor an address", shown(item))
			}
		}
		if p.Bits() == 0 {
			return nil, fmt.Errorf("%s would believe everybody; name the proxies", shown(item))
		}
		if p.Addr().Is4In6() {
			return nil, fmt.Errorf("%s: write it as an IPv4 network", shown(item))
		}
		prefixes = append(prefixes, p.Masked())
	}
	return prefixes, nil
}

package config

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var (
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // token, RFC 9110 section 5.6.2
	corsMethod = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
)

// checkCORS holds what the Fetch standard would let through but must not: no
// origin is everybody, and "*" for methods and headers stands for the default
// list, because with credentials a wildcard is either void or far too much.
func (l *loading) checkCORS() {
	for i, s := range l.AllowedOrigins {
		origin, problem := parseOrigin(s)
		if problem != "" {
			l.refuse("ALLOWED_ORIGINS", shown(s)+" "+problem)
			break
		}
		if u, _ := parseURL(origin, "http", "https"); u.Scheme == "http" && !isLoopback(u.Hostname()) {
			l.warn(fmt.Sprintf("ALLOWED_ORIGINS has %s: whoever controls the network can speak for an origin without TLS.", origin))
		}
		l.AllowedOrigins[i] = origin
	}
	slices.Sort(l.AllowedOrigins)
	l.AllowedOrigins = slices.Compact(l.AllowedOrigins)

	if slices.Contains(l.AllowedMethods, "*") {
		l.AllowedMethods = l.defaultList("ALLOWED_METHODS")
	}
	for i, m := range l.AllowedMethods {
		m = strings.ToUpper(m)
		if !slices.Contains(corsMethod, m) {
			l.refuse("ALLOWED_METHODS", shown(m)+" is not one of "+strings.Join(corsMethod, ", "))
			break
		}
		l.AllowedMethods[i] = m
	}
	if slices.Contains(l.AllowedHeaders, "*") {
		l.AllowedHeaders = l.defaultList("ALLOWED_HEADERS")
	}
	for _, h := range l.AllowedHeaders {
		if !headerName.MatchString(h) {
			l.refuse("ALLOWED_HEADERS", shown(h)+" is not the name of a header")
			break
		}
	}
}

func (l *loading) defaultList(name string) []string { return strings.Split(l.byName[name].def, ",") }

// parseOrigin returns the origin as a browser writes it in its Origin header:
// lower case, without the port its scheme implies.
func parseOrigin(s string) (string, string) {
	if s == "*" || s == "null" {
		return "", "would allow every page there is; name the origins"
	}
	u, problem := parseURL(s, "https", "http")
	switch {
	case problem != "":
		return "", problem
	case u.User != nil || u.Path != "" || strings.ContainsAny(s, "?#"):
		return "", "is not an origin: scheme, host and port only, without a slash at the end"
	case !isASCII(s):
		return "", "must be written as the browser does, with xn-- for other alphabets"
	case strings.Contains(u.Host, "*"):
		return "", "has a wildcard; name each origin"
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return u.Scheme + "://" + host, ""
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.Trim(host, "[]"), port), ""
}

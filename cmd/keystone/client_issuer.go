package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

// clientIssuerFlags are the issuers besides Keystone that a client relies on: by
// their tokens it proves itself, or gets tokens for people.
type clientIssuerFlags struct {
	workloads workloads
	bearer    assertionIssuers
}

func (f *clientIssuerFlags) add(c *cobra.Command) {
	c.Flags().Var(&f.workloads, "workload", "an identity issuer=URL,subject=SUB[,audience=A][,jwks_uri=URL]: by a token of that issuer it proves itself, with --auth-method private_key_jwt (repeatable)")
	c.Flags().Var(&f.bearer, "assertion-issuer", "an issuer issuer=URL[,jwks_uri=URL],user=SUB=USER_ID… or subject_is_user_id=true[,scope=S]…: whose assertions about people it may exchange for tokens (RFC 7523; repeatable)")
}

func (f *clientIssuerFlags) apply(c *cobra.Command, client *keystone.Client) {
	put(c, "workload", &client.Workloads, []keystone.Workload(f.workloads))
	put(c, "assertion-issuer", &client.JWTBearer, []keystone.AssertionIssuer(f.bearer))
}

// pairs calls take for each name=value of a list with commas.
func pairs(text string, take func(name, value string) bool) bool {
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok || value == "" || !take(name, value) {
			return false
		}
	}
	return true
}

// workloads is a repeatable flag. An empty value is none.
type workloads []keystone.Workload

var errWorkload = errors.New("write issuer=URL,subject=SUB and, where they are needed, audience=… and jwks_uri=URL, separated by commas")

// Set implements pflag.Value.
func (w *workloads) Set(text string) error {
	if text == "" {
		*w = workloads{}
		return nil
	}
	var one keystone.Workload
	fields := map[string]*string{"issuer": &one.Issuer, "subject": &one.Subject, "audience": &one.Audience, "jwks_uri": &one.JWKSURI}
	if !pairs(text, func(name, value string) bool {
		if fields[name] != nil {
			*fields[name] = value
		}
		return fields[name] != nil
	}) {
		return errWorkload
	}
	*w = append(*w, one)
	return nil
}

// Type implements pflag.Value.
func (w *workloads) Type() string { return "identity" }

// String implements pflag.Value.
func (w *workloads) String() string {
	var list []string
	for _, one := range *w {
		text := "issuer=" + one.Issuer + ",subject=" + one.Subject
		if one.Audience != "" {
			text += ",audience=" + one.Audience
		}
		if one.JWKSURI != "" {
			text += ",jwks_uri=" + one.JWKSURI
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

// assertionIssuers is a repeatable flag. An empty value is none.
type assertionIssuers []keystone.AssertionIssuer

var errAssertionIssuer = errors.New("write issuer=URL, then user=SUBJECT=USER_ID as often as you like or subject_is_user_id=true, and where they are needed jwks_uri=URL and scope=…, separated by commas")

// Set implements pflag.Value.
func (a *assertionIssuers) Set(text string) error {
	if text == "" {
		*a = assertionIssuers{}
		return nil
	}
	var one keystone.AssertionIssuer
	if !pairs(text, func(name, value string) bool {
		switch name {
		case "issuer":
			one.Issuer = value
		case "jwks_uri":
			one.JWKSURI = value
		case "subject_is_user_id":
			one.SubjectIsUserID = true
			return value == "true"
		case "scope":
			one.Scopes = append(one.Scopes, value)
		case "user":
			at := strings.LastIndexByte(value, '=') // an id has none
			if at <= 0 {
				return false
			}
			one.Users = append(one.Users, keystone.AssertionUser{Subject: value[:at], UserID: value[at+1:]})
		default:
			return false
		}
		return true
	}) {
		return errAssertionIssuer
	}
	*a = append(*a, one)
	return nil
}

// Type implements pflag.Value.
func (a *assertionIssuers) Type() string { return "issuer" }

// String implements pflag.Value.
func (a *assertionIssuers) String() string {
	var list []string
	for _, one := range *a {
		parts := []string{"issuer=" + one.Issuer}
		if one.JWKSURI != "" {
			parts = append(parts, "jwks_uri="+one.JWKSURI)
		}
		if one.SubjectIsUserID {
			parts = append(parts, "subject_is_user_id=true")
		}
		for _, u := range one.Users {
			parts = append(parts, "user="+u.Subject+"="+u.UserID)
		}
		for _, s := range one.Scopes {
			parts = append(parts, "scope="+s)
		}
		list = append(list, strings.Join(parts, ","))
	}
	return strings.Join(list, " ")
}

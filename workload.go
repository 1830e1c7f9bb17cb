package keystone

import (
	"slices"
	"strings"
)

// Workload is what the issuer of a platform says a program is: a Kubernetes service
// account, a job of a build system, a machine of a cloud. With a token of that
// issuer the program proves that it is the client, and keeps no secret at all (RFC
// 7523 section 2.2, where the issuer is another than the client).
type Workload struct {
	Issuer   string `json:"issuer" maxLength:"2000" doc:"iss of its tokens, an https address."`
	Subject  string `json:"subject" maxLength:"500" doc:"sub of its tokens, to the letter."`
	Audience string `json:"audience,omitempty" maxLength:"2000" doc:"What its tokens must be meant for, and for nothing else. Left out: the issuer of Keystone, which is best: another's server that takes the same audience could use the token here."`
	JWKSURI  string `json:"jwks_uri,omitempty" maxLength:"2000" doc:"Where the issuer's keys are. Left out: where its metadata says (OpenID Connect Discovery)."`
}

const (
	maxWorkloads = 20
	maxSubject   = 500
)

// Workload returns what the client registered of an issuer's subject.
func (s *ClientSettings) Workload(issuer, subject string) (Workload, bool) {
	for _, w := range s.Workloads {
		if w.Issuer == issuer && w.Subject == subject {
			return w, true
		}
	}
	return Workload{}, false
}

func (s *ClientSettings) validateWorkloads(f fields) {
	const field = "workload_identities"
	switch {
	case len(s.Workloads) > maxWorkloads:
		f[field] = "Name at most 20 identities."
		return
	case len(s.Workloads) > 0 && s.AuthMethod != AuthPrivateKeyJWT:
		f[field] = "They prove clients of token_endpoint_auth_method private_key_jwt."
		return
	case len(s.Workloads) > 0 && s.Rules().Strict:
		f[field] = "The profile asks for a key of the client's own: what a platform hands out can be shown twice."
		return
	}
	for i, w := range s.Workloads {
		why := issuerProblem(w.Issuer, w.JWKSURI)
		switch {
		case why != "":
			f[field] = why
		case !isSubject(w.Subject):
			f[field] = "The subject of an identity is the sub of its tokens: 1 to 500 printable ASCII characters."
		case w.Audience != "" && validAudiences(field, []string{w.Audience}) != nil:
			f[field] = "The audience of an identity is a name or absolute URI of printable ASCII without spaces and fragment."
		case slices.ContainsFunc(s.Workloads[:i], func(o Workload) bool { return o.Issuer == w.Issuer && o.Subject == w.Subject }):
			f[field] = "There are two identities of the same issuer and subject: make them one."
		}
	}
}

// issuerProblem says why another issuer cannot be trusted under this name, or "".
func issuerProblem(issuer, jwksURI string) string {
	switch why := OutboundURLProblem(issuer); {
	case why != "":
		return "An issuer is an https address, as in the iss of its tokens."
	case strings.ContainsAny(issuer, "?#"):
		return "An issuer has no query and no fragment (RFC 8414 section 2)."
	case jwksURI != "" && OutboundURLProblem(jwksURI) != "":
		return "The jwks_uri of an issuer is an https address."
	}
	return ""
}

func isSubject(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s != "" && len(s) <= maxSubject
}

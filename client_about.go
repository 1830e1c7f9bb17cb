package keystone

import (
	"regexp"
	"strings"
)

// ClientAbout is what a client says of itself to people (RFC 7591 section 2). The
// addresses are shown as links and nothing is ever fetched from them.
type ClientAbout struct {
	ClientURI string   `json:"client_uri,omitempty" doc:"A page about the client, shown where people are asked to allow it."`
	LogoURI   string   `json:"logo_uri,omitempty" doc:"Its logo, shown as a link: pages load nothing from elsewhere."`
	PolicyURI string   `json:"policy_uri,omitempty" doc:"What it does with data about people."`
	TOSURI    string   `json:"tos_uri,omitempty" doc:"Its terms of service."`
	Contacts  []string `json:"contacts,omitempty" doc:"Whom to ask about it, such as e-mail addresses."`

	// Names are read and written as client_name#TAG by clients that register
	// themselves (OpenID Connect Registration section 2.1).
	Names map[string]string `json:"client_names,omitempty" doc:"Its name in other languages, by language tag (RFC 5646), shown on pages in that language."`

	SoftwareID      string `json:"software_id,omitempty" doc:"Names the software, the same for all its installations."`
	SoftwareVersion string `json:"software_version,omitempty"`
}

const (
	maxContacts = 10
	maxContact  = 254
	maxNames    = 50
)

// languageTag is the form of RFC 5646, not its registry.
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)

// NameIn returns what people call the client in a language: the name that is
// registered for it, or for the wider language, else the name that has none.
func (c *Client) NameIn(tag string) string {
	for tag != "" {
		for of, name := range c.Names {
			if strings.EqualFold(of, tag) {
				return name
			}
		}
		tag = tag[:max(0, strings.LastIndexByte(tag, '-'))]
	}
	return c.Name
}

func (a ClientAbout) validate(f fields) {
	for name, uri := range map[string]string{"client_uri": a.ClientURI, "logo_uri": a.LogoURI, "policy_uri": a.PolicyURI, "tos_uri": a.TOSURI} {
		if why := httpsProblem(uri, true); why != "" {
			f[name] = why
		}
	}
	if len(a.Names) > maxNames {
		f["client_names"] = "Give the name in at most 50 languages."
	}
	tags := map[string]bool{}
	for tag, name := range a.Names {
		if !languageTag.MatchString(tag) || tags[strings.ToLower(tag)] || name == "" {
			f["client_names"] = "Give each name one language tag (RFC 5646), such as de or pt-BR, and each language one name."
		}
		tags[strings.ToLower(tag)] = true
		f.check("client_names", validText("client_names", name, maxClientName))
	}
	if len(a.Contacts) > maxContacts {
		f["contacts"] = "Name at most 10 contacts."
	}
	for _, c := range a.Contacts {
		f.check("contacts", validText("contacts", c, maxContact))
	}
	f.check("software_id", validText("software_id", a.SoftwareID, maxContact))
	f.check("software_version", validText("software_version", a.SoftwareVersion, maxContact))
}

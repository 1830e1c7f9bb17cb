package keystone

// ClientAbout is what a client says of itself to people (RFC 7591 section 2). The
// addresses are shown as links and nothing is ever fetched from them.
type ClientAbout struct {
	ClientURI string   `json:"client_uri,omitempty" doc:"A page about the client, shown where people are asked to allow it."`
	LogoURI   string   `json:"logo_uri,omitempty" doc:"Its logo, shown as a link: pages load nothing from elsewhere."`
	PolicyURI string   `json:"policy_uri,omitempty" doc:"What it does with data about people."`
	TOSURI    string   `json:"tos_uri,omitempty" doc:"Its terms of service."`
	Contacts  []string `json:"contacts,omitempty" doc:"Whom to ask about it, such as e-mail addresses."`

	SoftwareID      string `json:"software_id,omitempty" doc:"Names the software, the same for all its installations."`
	SoftwareVersion string `json:"software_version,omitempty"`
}

const (
	maxContacts = 10
	maxContact  = 254
)

func (a ClientAbout) validate(f fields) {
	for name, uri := range map[string]string{"client_uri": a.ClientURI, "logo_uri": a.LogoURI, "policy_uri": a.PolicyURI, "tos_uri": a.TOSURI} {
		if why := httpsProblem(uri, true); why != "" {
			f[name] = why
		}
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

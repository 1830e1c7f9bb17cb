package keystone

// ClientSettings is what a client registers beyond what every client has. The
// store keeps it as one JSON document, so that a new setting is a field here and
// a check in Validate; the names are those of the admin API, and of RFC 7591
// section 2 where it has one. The zero value is safe and is what most clients
// have.
type ClientSettings struct {
	RequirePAR bool `json:"require_par" doc:"Its authorization requests must be pushed (RFC 9126); sent through the browser they are refused."`
}

// validate checks the settings of c into f.
func (s ClientSettings) validate(c Client, f fields) {
	if s.RequirePAR && !c.Confidential() {
		f["require_par"] = "Only clients of kind service or web can push requests: a public client has nothing to prove itself with."
	}
}

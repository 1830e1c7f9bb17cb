package admin

import "github.com/keystone-auth/keystone"

// clientSettings are the settings of keystone.ClientSettings in a body that
// creates or changes a client: what is left out stays as it is.
type clientSettings struct {
	RequirePAR *bool `json:"require_par,omitempty" doc:"true refuses authorization requests that were not pushed (RFC 9126)."`
}

func (b clientSettings) apply(s *keystone.ClientSettings) {
	set(&s.RequirePAR, b.RequirePAR)
}

package keystone

import "slices"

// ExchangeRule lets a client exchange tokens of another (or of itself) for tokens
// of its own (RFC 8693). There is nothing without a rule.
type ExchangeRule struct {
	ClientID  string   `json:"client_id" doc:"Whose tokens it may exchange."`
	Mode      string   `json:"mode" enum:"delegation,impersonation" doc:"delegation: the new token says who acts (act). impersonation: it does not."`
	Audiences []string `json:"audiences,omitempty" maxItems:"50" doc:"Whom the new token may be for. Left out: only whom the old one is for."`
	Scopes    []string `json:"scopes,omitempty" maxItems:"200" doc:"The most that the new token may carry, besides what the old one, the user and the client hold. Left out: no such bound."`
}

// Modes of an exchange (RFC 8693 section 1.1).
const (
	ExchangeDelegation    = "delegation"
	ExchangeImpersonation = "impersonation"
)

const maxExchangeRules = 50

// ExchangeRule returns the rule under which the client may exchange a token of
// another. Where an actor is named it must be one of delegation; where none is,
// impersonation comes first, else the client itself is the actor.
func (s *ClientSettings) ExchangeRule(of string, actor bool) (ExchangeRule, bool) {
	modes := []string{ExchangeImpersonation, ExchangeDelegation}
	if actor {
		modes = modes[1:]
	}
	for _, mode := range modes {
		for _, r := range s.TokenExchange {
			if r.ClientID == of && r.Mode == mode {
				return r, true
			}
		}
	}
	return ExchangeRule{}, false
}

func (s *ClientSettings) validateExchange(c *Client, f fields) {
	const field = "token_exchange"
	switch {
	case len(s.TokenExchange) > maxExchangeRules:
		f[field] = "Name at most 50 rules."
		return
	case len(s.TokenExchange) > 0 && !c.Confidential():
		f[field] = "Only clients of kind service or web can exchange tokens: a public client has nothing to prove itself with."
		return
	}
	for i, r := range s.TokenExchange {
		switch {
		case !IsID(r.ClientID) && r.ClientID != FirstPartyClientID:
			f[field] = "A rule names a client by its client_id."
		case r.Mode != ExchangeDelegation && r.Mode != ExchangeImpersonation:
			f[field] = "The mode of a rule is delegation or impersonation."
		case slices.ContainsFunc(s.TokenExchange[:i], func(o ExchangeRule) bool { return o.ClientID == r.ClientID && o.Mode == r.Mode }):
			f[field] = "There are two rules for the same client and mode: make them one."
		case validAudiences("token_exchange", r.Audiences) != nil:
			f[field] = "An audience of a rule is a name or absolute URI of printable ASCII without spaces and fragment."
		case validScopeList(r.Scopes) != nil:
			f[field] = "A scope of a rule is the name of one."
		}
	}
}

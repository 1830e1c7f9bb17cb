package keystone_test

import (
	"testing"

	"github.com/keystone-auth/keystone"
)

// TestExchangeRule: which rule an exchange falls under, and what is no rule.
func TestExchangeRule(t *testing.T) {
	s := keystone.ClientSettings{TokenExchange: []keystone.ExchangeRule{
		{ClientID: "both", Mode: keystone.ExchangeDelegation}, {ClientID: "both", Mode: keystone.ExchangeImpersonation},
		{ClientID: "acts", Mode: keystone.ExchangeDelegation}, {ClientID: "is", Mode: keystone.ExchangeImpersonation},
	}}
	for _, test := range []struct {
		of    string
		actor bool
		want  string
	}{
		{"both", false, keystone.ExchangeImpersonation}, {"both", true, keystone.ExchangeDelegation},
		{"acts", false, keystone.ExchangeDelegation}, {"acts", true, keystone.ExchangeDelegation},
		{"is", false, keystone.ExchangeImpersonation}, {"is", true, ""}, {"nobody", false, ""}, {"", false, ""},
	} {
		if r, ok := s.ExchangeRule(test.of, test.actor); ok != (test.want != "") || r.Mode != test.want {
			t.Errorf("%+v: %+v", test, r)
		}
	}
	id := "01a20ed2-8a84-7006-ab15-1bfade315fdd"
	good := keystone.ExchangeRule{ClientID: id, Mode: keystone.ExchangeDelegation, Audiences: []string{"https://a.example"}, Scopes: []string{"users:read"}}
	many := make([]keystone.ExchangeRule, 51)
	for name, test := range map[string]struct {
		kind  keystone.ClientKind
		rules []keystone.ExchangeRule
		ok    bool
	}{
		"good":                      {keystone.ClientService, []keystone.ExchangeRule{good}, true},
		"for Keystone's own client": {keystone.ClientWeb, []keystone.ExchangeRule{{ClientID: keystone.FirstPartyClientID, Mode: keystone.ExchangeImpersonation}}, true},
		"public":                    {keystone.ClientSPA, []keystone.ExchangeRule{good}, false},
		"too many":                  {keystone.ClientService, many, false},
		"twice":                     {keystone.ClientService, []keystone.ExchangeRule{good, good}, false},
		"no client":                 {keystone.ClientService, []keystone.ExchangeRule{{Mode: keystone.ExchangeDelegation}}, false},
		"no mode":                   {keystone.ClientService, []keystone.ExchangeRule{{ClientID: id}}, false},
		"bad audience":              {keystone.ClientService, []keystone.ExchangeRule{{ClientID: id, Mode: keystone.ExchangeDelegation, Audiences: []string{"a#b"}}}, false},
		"bad scope":                 {keystone.ClientService, []keystone.ExchangeRule{{ClientID: id, Mode: keystone.ExchangeDelegation, Scopes: []string{"a b"}}}, false},
	} {
		c := keystone.Client{Name: "x", Kind: test.kind, ClientSettings: keystone.ClientSettings{TokenExchange: test.rules}}.WithDefaults()
		if err := c.Validate(); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

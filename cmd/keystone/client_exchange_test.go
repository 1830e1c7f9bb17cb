package main

import (
	"slices"
	"testing"

	"github.com/keystone-auth/keystone"
)

func TestExchangeRuleFlag(t *testing.T) {
	var r exchangeRules
	const text = "client=keystone,mode=delegation,audience=https://a.example,audience=b,scope=users:read"
	for _, s := range []string{text, "client=x,mode=impersonation"} {
		if err := r.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	if len(r) != 2 || r[0].ClientID != keystone.FirstPartyClientID || r[0].Mode != keystone.ExchangeDelegation || !slices.Equal(r[0].Audiences, []string{"https://a.example", "b"}) ||
		!slices.Equal(r[0].Scopes, []string{"users:read"}) || r[1].Mode != keystone.ExchangeImpersonation {
		t.Errorf("%+v", r)
	}
	if got := r.String(); got != text+" client=x,mode=impersonation" {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"client", "client=", "who=x", "client=x,,mode=delegation", "client=x;mode=delegation,"} {
		if err := r.Set(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if err := r.Set(""); err != nil || r == nil || len(r) != 0 {
		t.Errorf("an empty value is no rule: %v %v", r, err)
	}
}

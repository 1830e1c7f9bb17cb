package main

import (
	"errors"
	"strings"

	"github.com/keystone-auth/keystone"
)

// exchangeRules is a repeatable flag: client=ID,mode=delegation,audience=A,scope=S.
// An empty value is no rule.
type exchangeRules []keystone.ExchangeRule

var errExchangeRule = errors.New("write client=CLIENT_ID,mode=delegation or mode=impersonation, and audience=… and scope=… as often as you like, separated by commas")

// Set implements pflag.Value.
func (r *exchangeRules) Set(text string) error {
	if text == "" {
		*r = exchangeRules{}
		return nil
	}
	var rule keystone.ExchangeRule
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		switch {
		case !ok || value == "":
			return errExchangeRule
		case name == "client":
			rule.ClientID = value
		case name == "mode":
			rule.Mode = value
		case name == "audience":
			rule.Audiences = append(rule.Audiences, value)
		case name == "scope":
			rule.Scopes = append(rule.Scopes, value)
		default:
			return errExchangeRule
		}
	}
	*r = append(*r, rule)
	return nil
}

// Type implements pflag.Value.
func (r *exchangeRules) Type() string { return "rule" }

// String implements pflag.Value; it is the form that Set reads.
func (r exchangeRules) String() string {
	var rules []string
	for _, rule := range r {
		parts := []string{"client=" + rule.ClientID, "mode=" + rule.Mode}
		for _, a := range rule.Audiences {
			parts = append(parts, "audience="+a)
		}
		for _, s := range rule.Scopes {
			parts = append(parts, "scope="+s)
		}
		rules = append(rules, strings.Join(parts, ","))
	}
	return strings.Join(rules, " ")
}

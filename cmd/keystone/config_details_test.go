package main

import (
	"strings"
	"testing"
)

func TestConfigCheckDetails(t *testing.T) {
	m := newMachine(t, "")
	good, bad := m.file("good.json", `{"payment": {"text": "Pay {amount}", "fields": {"amount": {"kind": "string", "required": true}}}}`), m.file("bad.json", `{"payment": {"text": "Pay {amount}", "fields": {}}}`)
	if v := m.with("AUTHORIZATION_DETAILS_FILE="+good).object("config", "check"); v["ok"] != true {
		t.Error(v)
	}
	m.with("AUTHORIZATION_DETAILS_FILE="+bad).refused("there is no member {amount}", "config", "check")
	if r := m.with("AUTHORIZATION_DETAILS_FILE="+bad).run("", "doctor"); r.code != exitRefused || !strings.Contains(r.out, "there is no member {amount}") {
		t.Errorf("doctor: %+v", r)
	}
	m.with("AUTHORIZATION_DETAILS_FILE="+good+"x").refused("AUTHORIZATION_DETAILS_FILE", "config", "check")
	c := m.object("client", "create", "--name", "Shop", "--kind", "web", "--authorization-details-type", "payment")
	if list, _ := c["authorization_details_types"].([]any); len(list) != 1 || list[0] != "payment" {
		t.Error(c)
	}
	m.refused("authorization_details_types", "client", "update", text(c["client_id"]), "--authorization-details-type", "a b")
}

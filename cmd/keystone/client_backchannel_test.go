package main

import (
	"strings"
	"testing"
)

func TestClientBackchannel(t *testing.T) {
	m := newMachine(t, "")
	c := m.object("client", "create", "--name", "Desk", "--kind", "web", "--grant", "urn:openid:params:grant-type:ciba", "--scope", "openid")
	id := text(c["client_id"])
	if out := m.ok("client", "show", id); !strings.Contains(out, "polls") {
		t.Error(out)
	}
	m.refused("backchannel_client_notification_endpoint", "client", "update", id, "--backchannel-delivery-mode", "ping")
	c = m.object("client", "update", id, "--backchannel-delivery-mode", "ping", "--backchannel-notification-endpoint", "https://desk.example/told")
	if c["backchannel_token_delivery_mode"] != "ping" || c["backchannel_client_notification_endpoint"] != "https://desk.example/told" {
		t.Error(c)
	}
	if out := m.ok("client", "show", id); !strings.Contains(out, "is told at https://desk.example/told") {
		t.Error(out)
	}
	m.refused("kind web", "client", "create", "--name", "Job", "--kind", "service", "--grant", "urn:openid:params:grant-type:ciba")
}

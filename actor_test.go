package keystone_test

import (
	"slices"
	"testing"

	"github.com/keystone-auth/keystone"
	"pgregory.net/rapid"
)

// TestActorMayGrant: nobody grants what they do not hold; scopes that are not
// Keystone's own belong to whoever administers scopes.
func TestActorMayGrant(t *testing.T) {
	const own, foreign = keystone.UsersRead, "orders:read"
	user := func(scopes ...string) keystone.Actor {
		return keystone.Actor{Kind: keystone.ActorUser, ID: "u", Scopes: scopes}
	}
	for _, test := range []struct {
		name                            string
		actor                           keystone.Actor
		may, mayGrantOwn, mayGrantOther bool
	}{
		{"nobody", keystone.Anonymous(), false, false, false},
		{"zero actor", keystone.Actor{}, false, false, false},
		{"zero actor that lists scopes", keystone.Actor{Scopes: []string{own, foreign, keystone.ScopesWrite}}, false, false, false},
		{"anonymous that lists scopes", keystone.Actor{Kind: keystone.ActorAnonymous, Scopes: []string{own, foreign}}, false, false, false},
		{"unknown kind", keystone.Actor{Kind: "root", Scopes: []string{own, foreign}}, false, false, false},
		{"user without scopes", user(), false, false, false},
		{"user who holds it", user(own), true, true, false},
		{"user who holds the foreign one", user(foreign), false, false, true},
		{"user who administers scopes", user(keystone.ScopesWrite), false, false, true},
		{"service", keystone.Actor{Kind: keystone.ActorClient, Scopes: []string{own}}, true, true, false},
		{"operator", keystone.Operator("root"), true, true, true},
		{"Keystone itself", keystone.System("sweeper"), true, true, true},
	} {
		if got := test.actor.May(own); got != test.may {
			t.Errorf("%s: May says %v", test.name, got)
		}
		if got := test.actor.MayGrant(own); got != test.mayGrantOwn {
			t.Errorf("%s: MayGrant of an own scope says %v", test.name, got)
		}
		if got := test.actor.MayGrant(foreign); got != test.mayGrantOther {
			t.Errorf("%s: MayGrant of a foreign scope says %v", test.name, got)
		}
		refused := test.actor.MayGrantAll([]string{own, foreign})
		if (refused == "") != (test.mayGrantOwn && test.mayGrantOther) {
			t.Errorf("%s: MayGrantAll refuses %q", test.name, refused)
		}
		if test.actor.MayGrantAll(nil) != "" {
			t.Errorf("%s: may not grant nothing", test.name)
		}
	}
}

// TestGrantingCannotEscalate: by granting what they may grant, no actor reaches
// a scope of Keystone's own that they do not hold.
func TestGrantingCannotEscalate(t *testing.T) {
	scope := rapid.SampledFrom(append(keystone.BuiltInScopeNames(), "orders:read", "stock"))
	rapid.Check(t, func(t *rapid.T) {
		a := keystone.Actor{Kind: keystone.ActorUser, Scopes: rapid.SliceOf(scope).Draw(t, "held")}
		grants := rapid.SliceOf(scope).Draw(t, "grants")
		if a.MayGrantAll(grants) != "" {
			return
		}
		b := keystone.Actor{Kind: keystone.ActorUser, Scopes: grants}
		for _, s := range keystone.BuiltInScopeNames() {
			if b.MayGrant(s) && !slices.Contains(a.Scopes, s) {
				t.Fatalf("holder of %q gave %q, with which %s can be granted", a.Scopes, grants, s)
			}
		}
	})
}

// TestNetwork: who can use many addresses, or write one in many ways, is one source.
func TestNetwork(t *testing.T) {
	for source, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "fe80::2": "fe80::/64", "": "", "rubbish": "rubbish",
	} {
		if got := keystone.Network(source); got != want {
			t.Errorf("%q: %q, want %q", source, got, want)
		}
	}
}

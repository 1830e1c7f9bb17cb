package keystone_test

import (
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"pgregory.net/rapid"
)

// TestKeyStates walks three keys of one algorithm, and one of another, through
// their lives: seconds after the start.
func TestKeyStates(t *testing.T) {
	at := func(s int) time.Time {
		if s < 0 {
			return time.Time{}
		}
		return time.Unix(1_700_000_000+int64(s), 0)
	}
	key := func(id, alg string, seq int64, active, expires, revoked int) keystone.Key {
		return keystone.Key{ID: id, Algorithm: alg, Seq: seq, CreatedAt: at(0), ActiveAt: at(active), ExpiresAt: at(expires), RevokedAt: at(revoked)}
	}
	for _, test := range []struct {
		name    string
		keys    []keystone.Key
		now     int
		states  map[string]keystone.KeyState
		current string
	}{
		{"none", nil, 0, nil, ""},
		{"one", []keystone.Key{key("a", "ES256", 1, 0, -1, -1)}, 0, map[string]keystone.KeyState{"a": keystone.KeyCurrent}, "a"},
		{"not yet active", []keystone.Key{key("a", "ES256", 1, 10, -1, -1)}, 9, map[string]keystone.KeyState{"a": keystone.KeyNext}, ""},
		{"successor published", []keystone.Key{key("a", "ES256", 1, 0, 100, -1), key("b", "ES256", 2, 10, -1, -1)}, 9,
			map[string]keystone.KeyState{"a": keystone.KeyCurrent, "b": keystone.KeyNext}, "a"},
		{"successor active", []keystone.Key{key("a", "ES256", 1, 0, 100, -1), key("b", "ES256", 2, 10, -1, -1)}, 10,
			map[string]keystone.KeyState{"a": keystone.KeyRetired, "b": keystone.KeyCurrent}, "b"},
		{"order of rows does not matter", []keystone.Key{key("b", "ES256", 2, 10, -1, -1), key("a", "ES256", 1, 0, 100, -1)}, 10,
			map[string]keystone.KeyState{"a": keystone.KeyRetired, "b": keystone.KeyCurrent}, "b"},
		{"first expired", []keystone.Key{key("a", "ES256", 1, 0, 100, -1), key("b", "ES256", 2, 10, -1, -1)}, 100,
			map[string]keystone.KeyState{"a": keystone.KeyExpired, "b": keystone.KeyCurrent}, "b"},
		{"current revoked: the one before does not come back by age alone", []keystone.Key{key("a", "ES256", 1, 0, 100, -1), key("b", "ES256", 2, 10, -1, 50)}, 60,
			map[string]keystone.KeyState{"a": keystone.KeyCurrent, "b": keystone.KeyRevoked}, "a"},
		{"current revoked and replaced", []keystone.Key{key("a", "ES256", 1, 0, 100, -1), key("b", "ES256", 2, 10, 200, 50), key("c", "ES256", 3, 50, -1, -1)}, 60,
			map[string]keystone.KeyState{"a": keystone.KeyRetired, "b": keystone.KeyRevoked, "c": keystone.KeyCurrent}, "c"},
		{"revoked stays revoked after its end", []keystone.Key{key("a", "ES256", 1, 0, 100, 50)}, 200,
			map[string]keystone.KeyState{"a": keystone.KeyRevoked}, ""},
		{"next revoked", []keystone.Key{key("a", "ES256", 1, 0, 100, -1), key("b", "ES256", 2, 10, -1, 5)}, 20,
			map[string]keystone.KeyState{"a": keystone.KeyCurrent, "b": keystone.KeyRevoked}, "a"},
		{"algorithms do not meet", []keystone.Key{key("a", "ES256", 1, 0, -1, -1), key("r", "RS256", 9, 0, -1, -1)}, 0,
			map[string]keystone.KeyState{"a": keystone.KeyCurrent, "r": keystone.KeyCurrent}, "a"},
	} {
		for _, k := range test.keys {
			if got := k.StateAt(at(test.now), test.keys); got != test.states[k.ID] {
				t.Errorf("%s: key %s is %s, want %s", test.name, k.ID, got, test.states[k.ID])
			}
		}
		current, ok := keystone.CurrentKey("ES256", test.keys, at(test.now))
		if ok != (test.current != "") || current.ID != test.current {
			t.Errorf("%s: current is %q, want %q", test.name, current.ID, test.current)
		}
	}
}

// TestOneCurrentKey: whatever the times of the keys, at no moment are two of
// one algorithm current, and the current one is neither revoked nor expired.
func TestOneCurrentKey(t *testing.T) {
	second := rapid.IntRange(0, 20)
	optional := rapid.IntRange(-10, 20)
	rapid.Check(t, func(t *rapid.T) {
		base := time.Unix(1_700_000_000, 0)
		var keys []keystone.Key
		for seq := range rapid.IntRange(0, 6).Draw(t, "keys") {
			k := keystone.Key{ID: string(rune('a' + seq)), Algorithm: "ES256", Seq: int64(seq), ActiveAt: base.Add(time.Duration(second.Draw(t, "active")) * time.Second)}
			if s := optional.Draw(t, "expires"); s >= 0 {
				k.ExpiresAt = base.Add(time.Duration(s) * time.Second)
			}
			if s := optional.Draw(t, "revoked"); s >= 0 {
				k.RevokedAt = base.Add(time.Duration(s) * time.Second)
			}
			keys = append(keys, k)
		}
		now, current := base.Add(time.Duration(second.Draw(t, "now"))*time.Second), 0
		for _, k := range keys {
			if k.StateAt(now, keys) != keystone.KeyCurrent {
				continue
			}
			current++
			if !k.RevokedAt.IsZero() || now.Before(k.ActiveAt) || !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) {
				t.Fatalf("%+v is current at %v", k, now)
			}
		}
		if _, ok := keystone.CurrentKey("ES256", keys, now); current > 1 || ok != (current == 1) {
			t.Fatalf("%d current keys among %+v", current, keys)
		}
	})
}

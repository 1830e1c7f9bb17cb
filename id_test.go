package keystone_test

import (
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"pgregory.net/rapid"
)

// TestNewIDIsUUIDv7 checks the layout of RFC 9562 section 5.7.
func TestNewIDIsUUIDv7(t *testing.T) {
	now := time.UnixMilli(0x0123456789ab)
	for range 100 {
		id := keystone.NewID(now)
		if !keystone.IsID(id) {
			t.Fatalf("%q is no id", id)
		}
		if got := id[:8] + id[9:13]; got != "0123456789ab" {
			t.Fatalf("%s: the first 48 bits are %s, want the milliseconds", id, got)
		}
		if id[14] != '7' {
			t.Fatalf("%s: version %c, want 7", id, id[14])
		}
		if c := id[19]; c != '8' && c != '9' && c != 'a' && c != 'b' {
			t.Fatalf("%s: variant %c, want binary 10", id, c)
		}
	}
}

func TestIDsSortByTime(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before := ""
	for i := range 10_000 {
		id := keystone.NewID(start.Add(time.Duration(i) * time.Millisecond))
		if id <= before {
			t.Fatalf("id %d: %s sorts before %s", i, id, before)
		}
		before = id
	}
}

// TestIDsAreUnique makes 100,000 ids within one millisecond (SECURITY.md S4):
// no two are equal, and what follows the time shares nothing that grows.
func TestIDsAreUnique(t *testing.T) {
	now, seen, ones := time.Now(), make(map[string]bool, 100_000), [74]int{}
	for range 100_000 {
		id := keystone.NewID(now)
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
		b, _ := keystone.IDBytes(id)
		for bit := range 74 { // rand_a is 12 bits from bit 52, rand_b 62 from bit 66
			at := 52 + bit
			if bit >= 12 {
				at = 66 + bit - 12
			}
			ones[bit] += int(b[at/8] >> (7 - at%8) & 1)
		}
	}
	for bit, n := range ones { // 50,000 with a deviation of 158
		if n < 48_500 || n > 51_500 {
			t.Errorf("random bit %d is set in %d of 100,000 ids", bit, n)
		}
	}
}

func TestIsID(t *testing.T) {
	const good = "01890a5d-ac96-774b-bcce-b302099a8057"
	for _, test := range []struct {
		id   string
		want bool
	}{
		{good, true},
		{"", false},
		{good[:35], false},
		{good + "0", false},
		{"01890A5D-ac96-774b-bcce-b302099a8057", false}, // one spelling only
		{"01890a5dXac96-774b-bcce-b302099a8057", false},
		{"01890a5d-ac96-774b-bcce-b302099a805g", false},
		{"01890a5d-ac96-774b-bcce-b302099a80\x00\x00", false},
		{"{1890a5d-ac96-774b-bcce-b302099a805}", false},
		{keystone.FirstPartyClientID, false},
	} {
		if got := keystone.IsID(test.id); got != test.want {
			t.Errorf("IsID(%q) = %v", test.id, got)
		}
		if _, ok := keystone.IDBytes(test.id); ok != test.want {
			t.Errorf("IDBytes(%q) says %v", test.id, ok)
		}
	}
}

func TestIDBytesReverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b [16]byte
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		back, ok := keystone.IDBytes(keystone.IDFromBytes(b))
		if !ok || back != b {
			t.Fatalf("%x became %x", b, back)
		}
	})
}

func TestIDTime(t *testing.T) {
	at := time.UnixMilli(0x0123456789ab)
	if got, ok := keystone.IDTime(keystone.NewID(at.Add(999 * time.Microsecond))); !ok || !got.Equal(at) {
		t.Errorf("%v %v", got, ok)
	}
	for _, s := range []string{"", "keystone", "01234567-89ab-4000-8000-000000000000", keystone.NewID(at) + "0"} {
		if got, ok := keystone.IDTime(s); ok {
			t.Errorf("%q: %v", s, got)
		}
	}
}

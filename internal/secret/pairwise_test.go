package secret

import (
	"strings"
	"testing"
)

func TestPairwise(t *testing.T) {
	k, other := NewMasterKey(), NewMasterKey()
	id := [16]byte{1, 2, 3}
	a := k.Pairwise("a.example", id)
	if a != k.Pairwise("a.example", id) || a == k.Pairwise("b.example", id) || a == other.Pairwise("a.example", id) || a == k.Pairwise("a.example", [16]byte{1, 2, 4}) {
		t.Error("not one id for each pair")
	}
	if back, ok := k.Unpaired("a.example", a); !ok || back != id {
		t.Errorf("%v %v", back, ok)
	}
	if back, ok := k.Unpaired("b.example", a); !ok || back == id {
		t.Errorf("another sector finds it: %v", back)
	}
	for _, bad := range []string{"", "x", a + "A", a[:len(a)-1], strings.Repeat("=", 22), a[:21] + "_"} {
		if back, ok := k.Unpaired("a.example", bad); ok && back == id {
			t.Errorf("%q is taken", bad)
		}
	}
}

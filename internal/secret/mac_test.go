package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"sync"
	"testing"
)

func TestMACSeparates(t *testing.T) {
	k := NewMasterKey()
	m := k.MAC("audit")
	part := func(s string) []byte { return []byte(s) }
	base := m.Sum(part("ab"), part("c"))
	if base != m.Sum(part("ab"), part("c")) || base != k.MAC("audit").Sum(part("ab"), part("c")) {
		t.Fatal("the same parts give another sum")
	}
	for name, sum := range map[string][32]byte{
		"shifted":        m.Sum(part("a"), part("bc")),
		"joined":         m.Sum(part("abc")),
		"empty part":     m.Sum(part("ab"), part("c"), nil),
		"empty in front": m.Sum(nil, part("ab"), part("c")),
		"swapped":        m.Sum(part("c"), part("ab")),
		"nothing":        m.Sum(),
		"one empty":      m.Sum(nil),
		"other purpose":  k.MAC("audit2").Sum(part("ab"), part("c")),
		"other key":      NewMasterKey().MAC("audit").Sum(part("ab"), part("c")),
	} {
		if sum == base {
			t.Errorf("%s: the sum is the same", name)
		}
	}
	if m.Sum() == m.Sum(nil) {
		t.Error("no part and one empty part agree")
	}
}

func TestMACIsHMAC(t *testing.T) {
	k := NewMasterKey()
	h := hmac.New(sha256.New, k.derive("mac", "p", 32))
	h.Write([]byte{0, 0, 0, 0, 0, 0, 0, 2, 'h', 'i'})
	sum := k.MAC("p").Sum([]byte("hi"))
	if !Equal(h.Sum(nil), sum[:]) {
		t.Error("Sum is not HMAC-SHA256 over length and part")
	}
}

func TestMACConcurrently(t *testing.T) {
	m := NewMasterKey().MAC("p")
	var want [16][32]byte
	for i := range want {
		want[i] = m.Sum([]byte{byte(i)})
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 2000 {
				i := (n + g) % len(want)
				if m.Sum([]byte{byte(i)}) != want[i] {
					t.Error("sums mix between goroutines")
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkMAC(b *testing.B) {
	m := NewMasterKey().MAC("p")
	part := make([]byte, 40)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Sum(part)
		}
	})
}

// TestMACOfText: texts are the same as their bytes.
func TestMACOfText(t *testing.T) {
	m := NewMasterKey().MAC("audit")
	for _, parts := range [][]string{nil, {""}, {"ab", "c"}, {"a", "bc"}, {"", "ab", "c"}, {strings.Repeat("x", 1000), "y"}} {
		bytes := make([][]byte, len(parts))
		for i, p := range parts {
			bytes[i] = []byte(p)
		}
		if m.SumText(parts...) != m.Sum(bytes...) {
			t.Errorf("%q differs from its bytes", parts)
		}
	}
}

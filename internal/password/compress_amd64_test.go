package password

import (
	"crypto/rand"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/cpu"
)

func randomBlock(t *testing.T) (b block) {
	t.Helper()
	var from [1024]byte
	rand.Read(from[:])
	b.decode(&from)
	// Words at the edge of 32 and 64 bits carry.
	edges := []uint64{0, 1, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1 << 63, 1<<64 - 1}
	for i := range from[:16] {
		b[binary.LittleEndian.Uint16(from[2*i:])%128] = edges[int(from[i])%len(edges)]
	}
	return b
}

// TestCompressAVX2 compares the assembler with the Go code block by block, also
// where out is prev.
func TestCompressAVX2(t *testing.T) {
	if !cpu.X86.HasAVX2 {
		t.Log("this processor has no AVX2: nothing to compare")
		return
	}
	for n := range 2000 {
		prev, ref, was := randomBlock(t), randomBlock(t), randomBlock(t)
		want, got, alias, state, xor := was, was, prev, randomBlock(t), n%2 == 1
		compressGo(&want, &prev, &ref, xor)
		beginAVX2(&got, &prev, &ref, &state, xor)
		if got[0] != want[0] {
			t.Fatalf("first word after begin (xor %v): %x, want %x", xor, got[0], want[0])
		}
		finishAVX2(&got, &prev, &ref, &state, xor, &ref)
		if got != want {
			t.Fatalf("xor %v: %x, want %x, of %x and %x", xor, got, want, prev, ref)
		}
		want = prev
		compressGo(&want, &want, &ref, xor)
		beginAVX2(&alias, &alias, &ref, &state, xor)
		finishAVX2(&alias, &alias, &ref, &state, xor, &ref)
		if alias != want {
			t.Fatalf("out is prev, xor %v: %x, want %x", xor, alias, want)
		}
	}
}

// TestArgon2WithoutAVX2 runs the oracle over what other processors use.
func TestArgon2WithoutAVX2(t *testing.T) {
	has := cpu.X86.HasAVX2
	cpu.X86.HasAVX2 = false // the only way to be another processor
	t.Cleanup(func() { cpu.X86.HasAVX2 = has })
	compareWithOracle(t)
}

package password

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"testing"

	xargon2 "golang.org/x/crypto/argon2"
)

// usedArena returns memory that has been used before: nothing may depend on
// what is in it.
func usedArena(t testing.TB, kib uint32) arena {
	t.Helper()
	mem, err := newArena(kib)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mem.release)
	for i := range mem {
		for j := range mem[i] {
			mem[i][j] = 0xdeadbeefdeadbeef
		}
	}
	return mem
}

// TestArgon2Vector is RFC 9106 sections 5.2 and 5.3, with its secret and
// associated data.
func TestArgon2Vector(t *testing.T) {
	p := Params{Memory: 32, Time: 3, Lanes: 4}
	for variant, want := range map[int]string{
		argon2i:  "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8",
		argon2id: "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659",
	} {
		h0 := argon2Start(variant, p, string(bytes.Repeat([]byte{1}, 32)), bytes.Repeat([]byte{2}, 16),
			bytes.Repeat([]byte{3}, 8), bytes.Repeat([]byte{4}, 12), 32)
		if got := hex.EncodeToString(argon2From(usedArena(t, p.Memory), variant, p, h0, 32)); got != want {
			t.Errorf("variant %d: %s, want %s", variant, got, want)
		}
	}
}

// TestArgon2Oracle compares with golang.org/x/crypto/argon2 over parameters
// and lengths, on random passwords and salts.
func TestArgon2Oracle(t *testing.T) { compareWithOracle(t) }

func compareWithOracle(t *testing.T) {
	for _, p := range []Params{
		{8, 1, 1}, {9, 2, 1}, {19, 3, 2}, {64, 1, 4}, {103, 4, 3}, {1000, 2, 5}, {512, 1, 64}, {1024, 3, 1}, {4096, 3, 1}, DefaultParams(),
	} {
		mem := usedArena(t, p.Memory)
		for _, size := range []int{4, 31, 32, 64, 65, 96, 100, 128} {
			random := make([]byte, size+7)
			rand.Read(random)
			password, salt := random[:size-3], random[size-3:]
			got := argon2(mem, argon2id, p, string(password), salt, size)
			if want := xargon2.IDKey(password, salt, p.Time, p.Memory, uint8(p.Lanes), uint32(size)); !bytes.Equal(got, want) {
				t.Errorf("argon2id %+v, %d bytes of %x, %x: %x, want %x", p, size, password, salt, got, want)
			}
			if p == DefaultParams() {
				break // once is enough for 19 MiB
			}
			got = argon2(mem, argon2i, p, string(password), salt, size)
			if want := xargon2.Key(password, salt, p.Time, p.Memory, uint8(p.Lanes), uint32(size)); !bytes.Equal(got, want) {
				t.Errorf("argon2i %+v, %d bytes of %x, %x: %x, want %x", p, size, password, salt, got, want)
			}
		}
	}
}

// FuzzArgon2 compares with golang.org/x/crypto/argon2 on any input.
func FuzzArgon2(f *testing.F) {
	f.Add("password", []byte("somesalt"), uint8(2), uint16(64), uint8(1), uint8(32))
	f.Add("", []byte{}, uint8(0), uint16(0), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, password string, salt []byte, passes uint8, kib uint16, lanes, size uint8) {
		p := Params{Time: uint32(passes%4) + 1, Lanes: uint32(lanes%8) + 1}
		p.Memory = 8*p.Lanes + uint32(kib%512)
		n := int(size) + 4
		got := argon2(make(arena, p.Memory), argon2id, p, password, salt, n)
		if want := xargon2.IDKey([]byte(password), salt, p.Time, p.Memory, uint8(p.Lanes), uint32(n)); !bytes.Equal(got, want) {
			t.Errorf("%+v: %x, want %x", p, got, want)
		}
	})
}

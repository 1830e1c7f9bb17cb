package password

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"

	"github.com/keystone-auth/keystone/internal/thread"
)

// argon2 variants that are computed here, with their type of RFC 9106
// section 3.1. Argon2d leaks the password by its memory access pattern.
const (
	argon2i  = 1
	argon2id = 2
)

const (
	argon2Version = 0x13
	syncPoints    = 4 // slices of a pass
	// yieldEvery is how many blocks are filled (a few hundred microseconds)
	// before goroutines that are ready may get their turn: hashes in progress must
	// not make them wait for the scheduler's own 10 ms.
	yieldEvery = 512
)

// argon2 computes a tag of size bytes (RFC 9106 section 3.2) in mem, which has
// p.Memory blocks of any content. golang.org/x/crypto/argon2 gives the same
// tags, but takes new memory for every hash, which costs page faults and a
// bound. Lanes are computed one after the other: a slot is one processor.
func argon2(mem arena, variant int, p Params, password string, salt []byte, size int) []byte {
	return argon2From(mem, variant, p, argon2Start(variant, p, password, salt, nil, nil, size), size)
}

// argon2Room is H_0, followed by room for a block's and a lane's number.
type argon2Room [blake2b.Size + 8]byte

func argon2From(mem arena, variant int, p Params, h0 argon2Room, size int) []byte {
	f := filling{variant: variant, passes: p.Time, lanes: p.Lanes}
	f.segment = p.Memory / (syncPoints * p.Lanes)
	f.lane = f.segment * syncPoints
	f.mem = mem[:f.lane*p.Lanes]

	for lane := range p.Lanes {
		for i := range uint32(2) {
			var b [1024]byte
			binary.LittleEndian.PutUint32(h0[blake2b.Size:], i)
			binary.LittleEndian.PutUint32(h0[blake2b.Size+4:], lane)
			longHash(b[:], h0[:])
			f.mem[lane*f.lane+i].decode(&b)
		}
	}
	for pass := range p.Time {
		for slice := range uint32(syncPoints) {
			for lane := range p.Lanes {
				f.fill(pass, slice, lane)
			}
		}
	}
	last := f.mem[f.lane-1]
	for lane := uint32(1); lane < p.Lanes; lane++ {
		for i, v := range f.mem[lane*f.lane+f.lane-1] {
			last[i] ^= v
		}
	}
	var b [1024]byte
	for i, v := range last {
		binary.LittleEndian.PutUint64(b[i*8:], v)
	}
	tag := make([]byte, size)
	longHash(tag, b[:])
	return tag
}

// argon2Start computes H_0 (RFC 9106 section 3.2, step 1).
func argon2Start(variant int, p Params, password string, salt, secret, data []byte, size int) (h0 argon2Room) {
	b := make([]byte, 0, 2*MaxBytes)
	for _, v := range []uint32{p.Lanes, uint32(size), p.Memory, p.Time, argon2Version, uint32(variant)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, field := range [][]byte{[]byte(password), salt, secret, data} {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(field))), field...)
	}
	sum := blake2b.Sum512(b)
	copy(h0[:], sum[:])
	return h0
}

// longHash is H' (RFC 9106 section 3.3): BLAKE2b of any length.
func longHash(out, in []byte) {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+1024), uint32(len(out)))
	b = append(b, in...)
	if len(out) <= blake2b.Size {
		copy(out, blake2bSum(len(out), b))
		return
	}
	for {
		v := blake2bSum(blake2b.Size, b)
		if len(out) <= blake2b.Size {
			copy(out, v)
			return
		}
		copy(out, v[:blake2b.Size/2])
		out, b = out[blake2b.Size/2:], v
		if len(out) < blake2b.Size {
			copy(out, blake2bSum(len(out), b))
			return
		}
	}
}

func blake2bSum(size int, b []byte) []byte {
	h, err := blake2b.New(size, nil)
	if err != nil {
		panic(err) // sizes are 1 to 64
	}
	h.Write(b)
	return h.Sum(nil)
}

func (b *block) decode(from *[1024]byte) {
	for i := range b {
		b[i] = binary.LittleEndian.Uint64(from[i*8:])
	}
}

// filling is the memory of one hash while it is filled.
type filling struct {
	mem     arena
	variant int
	passes  uint32
	lanes   uint32
	lane    uint32 // blocks of a lane
	segment uint32 // blocks of a lane in one slice
}

// fill computes one segment: the blocks of a lane in a slice (RFC 9106
// section 3.4).
func (f *filling) fill(pass, slice, lane uint32) {
	var state block
	addresses := f.addresses(pass, slice, lane)
	at := lane*f.lane + slice*f.segment
	prev := at - 1
	if slice == 0 {
		prev += f.lane // the last block of the lane
	}
	i := uint32(0)
	if pass == 0 && slice == 0 {
		i, at, prev = 2, at+2, at+1 // two are made from H_0
	}
	ref := f.reference(addresses.word(i, &f.mem[prev]), pass, slice, lane, i)
	for i < f.segment {
		out, last, mixed := &f.mem[at], &f.mem[prev], &f.mem[ref]
		begin(out, last, mixed, &state, pass > 0)
		i, prev, at = i+1, at, at+1
		if i < f.segment {
			ref = f.reference(addresses.word(i, out), pass, slice, lane, i)
		}
		finish(out, last, mixed, &state, pass > 0, &f.mem[ref])
		if i%yieldEvery == 0 {
			thread.GiveWay()
		}
	}
}

// addresses are the random words of a segment: where they may not depend on
// the password, they are computed, else they are the first words of the blocks
// (RFC 9106 sections 3.4.1.1 to 3.4.1.3).
type addresses struct {
	independent  bool
	input, words block
}

func (f *filling) addresses(pass, slice, lane uint32) *addresses {
	return &addresses{
		independent: f.variant == argon2i || pass == 0 && slice < syncPoints/2,
		input:       block{uint64(pass), uint64(lane), uint64(slice), uint64(len(f.mem)), uint64(f.passes), uint64(f.variant)},
	}
}

// word returns the random word of block i, which follows prev. It is called
// for each i in order.
func (a *addresses) word(i uint32, prev *block) uint64 {
	if !a.independent {
		return prev[0]
	}
	if n := uint64(i / uint32(len(a.words))); n == a.input[6] {
		var zero, state block
		a.input[6]++
		for _, from := range []*block{&a.input, &a.words} {
			begin(&a.words, from, &zero, &state, false)
			finish(&a.words, from, &zero, &state, false, &zero)
		}
	}
	return a.words[i%uint32(len(a.words))]
}

// reference maps 64 random bits to the block that is mixed in (RFC 9106
// sections 3.4.1.3 and 3.4.2).
func (f *filling) reference(random uint64, pass, slice, lane, i uint32) uint32 {
	from := uint32(random>>32) % f.lanes
	if pass == 0 && slice == 0 {
		from = lane
	}
	// The window: what is finished of the last lane's length, and of this very
	// segment only what its own lane has.
	size, begin := 3*f.segment, (slice+1)%syncPoints*f.segment
	if pass == 0 {
		size, begin = slice*f.segment, 0
	}
	if from == lane {
		size += i - 1
	} else if i == 0 {
		size--
	}
	x := random & 0xffffffff
	x = x * x >> 32
	x = uint64(size) - 1 - uint64(size)*x>>32
	return from*f.lane + uint32((uint64(begin)+x)%uint64(f.lane))
}

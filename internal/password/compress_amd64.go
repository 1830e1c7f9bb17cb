package password

import "golang.org/x/sys/cpu"

// beginAVX2 and finishAVX2 are the two halves of compressGo in assembler.
//
//go:noescape
func beginAVX2(out, prev, ref, state *block, xor bool)

//go:noescape
func finishAVX2(out, prev, ref, state *block, xor bool, next *block)

// begin computes at least the first word of out, finish the rest; state is
// theirs in between. The first word says which block is mixed in next: finish
// fetches it from memory while it computes, or half the time of a hash would
// be spent waiting for it.
func begin(out, prev, ref, state *block, xor bool) {
	if cpu.X86.HasAVX2 {
		beginAVX2(out, prev, ref, state, xor)
		return
	}
	compressGo(out, prev, ref, xor)
}

func finish(out, prev, ref, state *block, xor bool, next *block) {
	if cpu.X86.HasAVX2 {
		finishAVX2(out, prev, ref, state, xor, next)
	}
}

#include "textflag.h"

// G of RFC 9106 section 3.5 for AVX2: two rows, then two columns at a time. The
// permuted rows lie in state; prev XOR ref is loaded again where it is needed
// rather than kept.

// The byte shuffles that rotate each 64-bit word right by 24 and by 16.
DATA ·rotate24<>+0x00(SB)/8, $0x0201000706050403
DATA ·rotate24<>+0x08(SB)/8, $0x0a09080f0e0d0c0b
DATA ·rotate24<>+0x10(SB)/8, $0x0201000706050403
DATA ·rotate24<>+0x18(SB)/8, $0x0a09080f0e0d0c0b
GLOBL ·rotate24<>(SB), NOPTR|RODATA, $32
DATA ·rotate16<>+0x00(SB)/8, $0x0100070605040302
DATA ·rotate16<>+0x08(SB)/8, $0x09080f0e0d0c0b0a
DATA ·rotate16<>+0x10(SB)/8, $0x0100070605040302
DATA ·rotate16<>+0x18(SB)/8, $0x09080f0e0d0c0b0a
GLOBL ·rotate16<>(SB), NOPTR|RODATA, $32

// Y0..Y7 are a, b, c, d of the first and of the second row or column.
#define A0 Y0
#define B0 Y1
#define C0 Y2
#define D0 Y3
#define A1 Y4
#define B1 Y5
#define C1 Y6
#define D1 Y7

// x += y + 2 * low(x) * low(y), twice.
#define ADDMUL(x0, y0, x1, y1) \
	VPMULUDQ x0, y0, Y8  \
	VPMULUDQ x1, y1, Y9  \
	VPADDQ   y0, x0, x0  \
	VPADDQ   y1, x1, x1  \
	VPADDQ   Y8, Y8, Y8  \
	VPADDQ   Y9, Y9, Y9  \
	VPADDQ   Y8, x0, x0  \
	VPADDQ   Y9, x1, x1

// GB of RFC 9106 section 3.6, on four words of each of two rows or columns.
#define MIX(a0, b0, c0, d0, a1, b1, c1, d1) \
	ADDMUL(a0, b0, a1, b1)   \
	VPXOR   a0, d0, d0       \
	VPXOR   a1, d1, d1       \
	VPSHUFD $0xb1, d0, d0    \
	VPSHUFD $0xb1, d1, d1    \
	ADDMUL(c0, d0, c1, d1)   \
	VPXOR   c0, b0, b0       \
	VPXOR   c1, b1, b1       \
	VPSHUFB Y14, b0, b0      \
	VPSHUFB Y14, b1, b1      \
	ADDMUL(a0, b0, a1, b1)   \
	VPXOR   a0, d0, d0       \
	VPXOR   a1, d1, d1       \
	VPSHUFB Y15, d0, d0      \
	VPSHUFB Y15, d1, d1      \
	ADDMUL(c0, d0, c1, d1)   \
	VPXOR   c0, b0, b0       \
	VPXOR   c1, b1, b1       \
	VPADDQ  b0, b0, Y8       \
	VPADDQ  b1, b1, Y9       \
	VPSRLQ  $63, b0, b0      \
	VPSRLQ  $63, b1, b1      \
	VPXOR   Y8, b0, b0       \
	VPXOR   Y9, b1, b1

// COLUMNS permutes two columns: the same 32 bytes, at AX, of the eight rows.
// Each column has one half of every register; a is in A0 and A1, b in B0 and
// B1, and so on. For the diagonals b moves up by one word, d by three, and c by
// two, which is to say that C0 and C1 change places.
#define COLUMNS \
	VMOVDQU 0(BX)(AX*1), A0 \
	VMOVDQU 128(BX)(AX*1), A1 \
	VMOVDQU 256(BX)(AX*1), B0 \
	VMOVDQU 384(BX)(AX*1), B1 \
	VMOVDQU 512(BX)(AX*1), C0 \
	VMOVDQU 640(BX)(AX*1), C1 \
	VMOVDQU 768(BX)(AX*1), D0 \
	VMOVDQU 896(BX)(AX*1), D1 \
	MIX(A0, B0, C0, D0, A1, B1, C1, D1) \
	VPALIGNR $8, B0, B1, Y8 \
	VPALIGNR $8, B1, B0, Y9 \
	VPALIGNR $8, D1, D0, Y10 \
	VPALIGNR $8, D0, D1, Y11 \
	VMOVDQA  Y8, B0 \
	VMOVDQA  Y9, B1 \
	VMOVDQA  Y10, D0 \
	VMOVDQA  Y11, D1 \
	MIX(A0, B0, C1, D0, A1, B1, C0, D1) \
	VPALIGNR $8, B1, B0, Y8 \
	VPALIGNR $8, B0, B1, Y9 \
	VPALIGNR $8, D0, D1, Y10 \
	VPALIGNR $8, D1, D0, Y11 \
	VPXOR 0(SI)(AX*1), A0, A0 \
	VPXOR 128(SI)(AX*1), A1, A1 \
	VPXOR 256(SI)(AX*1), Y8, B0 \
	VPXOR 384(SI)(AX*1), Y9, B1 \
	VPXOR 512(SI)(AX*1), C0, C0 \
	VPXOR 640(SI)(AX*1), C1, C1 \
	VPXOR 768(SI)(AX*1), Y10, D0 \
	VPXOR 896(SI)(AX*1), Y11, D1 \
	VPXOR 0(DX)(AX*1), A0, A0 \
	VPXOR 128(DX)(AX*1), A1, A1 \
	VPXOR 256(DX)(AX*1), B0, B0 \
	VPXOR 384(DX)(AX*1), B1, B1 \
	VPXOR 512(DX)(AX*1), C0, C0 \
	VPXOR 640(DX)(AX*1), C1, C1 \
	VPXOR 768(DX)(AX*1), D0, D0 \
	VPXOR 896(DX)(AX*1), D1, D1

// XOROUT adds what out was, STORE is the end of both.
#define XOROUT \
	VPXOR 0(DI)(AX*1), A0, A0 \
	VPXOR 128(DI)(AX*1), A1, A1 \
	VPXOR 256(DI)(AX*1), B0, B0 \
	VPXOR 384(DI)(AX*1), B1, B1 \
	VPXOR 512(DI)(AX*1), C0, C0 \
	VPXOR 640(DI)(AX*1), C1, C1 \
	VPXOR 768(DI)(AX*1), D0, D0 \
	VPXOR 896(DI)(AX*1), D1, D1

#define STORE \
	VMOVDQU A0, 0(DI)(AX*1) \
	VMOVDQU A1, 128(DI)(AX*1) \
	VMOVDQU B0, 256(DI)(AX*1) \
	VMOVDQU B1, 384(DI)(AX*1) \
	VMOVDQU C0, 512(DI)(AX*1) \
	VMOVDQU C1, 640(DI)(AX*1) \
	VMOVDQU D0, 768(DI)(AX*1) \
	VMOVDQU D1, 896(DI)(AX*1)

#define ARGUMENTS \
	MOVQ    out+0(FP), DI          \
	MOVQ    prev+8(FP), SI         \
	MOVQ    ref+16(FP), DX         \
	MOVQ    state+24(FP), BX       \
	VMOVDQU ·rotate24<>(SB), Y14   \
	VMOVDQU ·rotate16<>(SB), Y15

// func beginAVX2(out, prev, ref, state *block, xor bool)
TEXT ·beginAVX2(SB), NOSPLIT, $0-33
	ARGUMENTS
	MOVBLZX xor+32(FP), R8

	// Rows: a row is four registers, a pair of rows 256 bytes.
	XORQ AX, AX

rows:
	VMOVDQU 0(SI)(AX*1), A0
	VMOVDQU 32(SI)(AX*1), B0
	VMOVDQU 64(SI)(AX*1), C0
	VMOVDQU 96(SI)(AX*1), D0
	VMOVDQU 128(SI)(AX*1), A1
	VMOVDQU 160(SI)(AX*1), B1
	VMOVDQU 192(SI)(AX*1), C1
	VMOVDQU 224(SI)(AX*1), D1
	VPXOR   0(DX)(AX*1), A0, A0
	VPXOR   32(DX)(AX*1), B0, B0
	VPXOR   64(DX)(AX*1), C0, C0
	VPXOR   96(DX)(AX*1), D0, D0
	VPXOR   128(DX)(AX*1), A1, A1
	VPXOR   160(DX)(AX*1), B1, B1
	VPXOR   192(DX)(AX*1), C1, C1
	VPXOR   224(DX)(AX*1), D1, D1

	MIX(A0, B0, C0, D0, A1, B1, C1, D1)

	// The diagonals of the 4 x 4 words.
	VPERMQ $0x39, B0, B0
	VPERMQ $0x39, B1, B1
	VPERMQ $0x4e, C0, C0
	VPERMQ $0x4e, C1, C1
	VPERMQ $0x93, D0, D0
	VPERMQ $0x93, D1, D1

	MIX(A0, B0, C0, D0, A1, B1, C1, D1)

	VPERMQ $0x93, B0, B0
	VPERMQ $0x93, B1, B1
	VPERMQ $0x4e, C0, C0
	VPERMQ $0x4e, C1, C1
	VPERMQ $0x39, D0, D0
	VPERMQ $0x39, D1, D1

	VMOVDQU A0, 0(BX)(AX*1)
	VMOVDQU B0, 32(BX)(AX*1)
	VMOVDQU C0, 64(BX)(AX*1)
	VMOVDQU D0, 96(BX)(AX*1)
	VMOVDQU A1, 128(BX)(AX*1)
	VMOVDQU B1, 160(BX)(AX*1)
	VMOVDQU C1, 192(BX)(AX*1)
	VMOVDQU D1, 224(BX)(AX*1)
	ADDQ    $256, AX
	CMPQ    AX, $1024
	JB      rows

	// The first two columns.
	XORQ  AX, AX
	COLUMNS
	TESTL R8, R8
	JZ    store
	XOROUT

store:
	STORE
	VZEROUPPER
	RET

// func finishAVX2(out, prev, ref, state *block, xor bool, next *block)
TEXT ·finishAVX2(SB), NOSPLIT, $0-48
	ARGUMENTS
	MOVBLZX xor+32(FP), R8
	MOVQ    next+40(FP), R9

	// What the next call reads: the block it mixes in, and the one it replaces.
	PREFETCHT0 0(R9)
	PREFETCHT0 64(R9)
	PREFETCHT0 128(R9)
	PREFETCHT0 192(R9)
	PREFETCHT0 256(R9)
	PREFETCHT0 320(R9)
	PREFETCHT0 384(R9)
	PREFETCHT0 448(R9)
	PREFETCHT0 512(R9)
	PREFETCHT0 576(R9)
	PREFETCHT0 640(R9)
	PREFETCHT0 704(R9)
	PREFETCHT0 768(R9)
	PREFETCHT0 832(R9)
	PREFETCHT0 896(R9)
	PREFETCHT0 960(R9)
	PREFETCHT0 1024(DI)
	PREFETCHT0 1088(DI)
	PREFETCHT0 1152(DI)
	PREFETCHT0 1216(DI)
	PREFETCHT0 1280(DI)
	PREFETCHT0 1344(DI)
	PREFETCHT0 1408(DI)
	PREFETCHT0 1472(DI)
	PREFETCHT0 1536(DI)
	PREFETCHT0 1600(DI)
	PREFETCHT0 1664(DI)
	PREFETCHT0 1728(DI)
	PREFETCHT0 1792(DI)
	PREFETCHT0 1856(DI)
	PREFETCHT0 1920(DI)
	PREFETCHT0 1984(DI)
	MOVQ        $32, AX

columns:
	COLUMNS
	TESTL R8, R8
	JZ    store
	XOROUT

store:
	STORE
	ADDQ $32, AX
	CMPQ AX, $128
	JB   columns
	VZEROUPPER
	RET

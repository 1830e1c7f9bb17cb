package password

// compressGo is G of RFC 9106 section 3.5: out becomes the permutation of
// prev XOR ref, XORed with both, and with what out was if xor is set (version
// 0x13, all passes but the first). out may be prev.
func compressGo(out, prev, ref *block, xor bool) {
	var r block
	for i := range r {
		r[i] = prev[i] ^ ref[i]
	}
	z := r
	for i := 0; i < 128; i += 16 {
		round(&z[i], &z[i+1], &z[i+2], &z[i+3], &z[i+4], &z[i+5], &z[i+6], &z[i+7],
			&z[i+8], &z[i+9], &z[i+10], &z[i+11], &z[i+12], &z[i+13], &z[i+14], &z[i+15])
	}
	for i := 0; i < 16; i += 2 {
		round(&z[i], &z[i+1], &z[i+16], &z[i+17], &z[i+32], &z[i+33], &z[i+48], &z[i+49],
			&z[i+64], &z[i+65], &z[i+80], &z[i+81], &z[i+96], &z[i+97], &z[i+112], &z[i+113])
	}
	if xor {
		for i := range out {
			out[i] ^= r[i] ^ z[i]
		}
		return
	}
	for i := range out {
		out[i] = r[i] ^ z[i]
	}
}

// round is P of RFC 9106 section 3.6.
func round(t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15 *uint64) {
	v0, v1, v2, v3, v4, v5, v6, v7 := *t0, *t1, *t2, *t3, *t4, *t5, *t6, *t7
	v8, v9, v10, v11, v12, v13, v14, v15 := *t8, *t9, *t10, *t11, *t12, *t13, *t14, *t15
	v0, v4, v8, v12 = mix(v0, v4, v8, v12)
	v1, v5, v9, v13 = mix(v1, v5, v9, v13)
	v2, v6, v10, v14 = mix(v2, v6, v10, v14)
	v3, v7, v11, v15 = mix(v3, v7, v11, v15)
	v0, v5, v10, v15 = mix(v0, v5, v10, v15)
	v1, v6, v11, v12 = mix(v1, v6, v11, v12)
	v2, v7, v8, v13 = mix(v2, v7, v8, v13)
	v3, v4, v9, v14 = mix(v3, v4, v9, v14)
	*t0, *t1, *t2, *t3, *t4, *t5, *t6, *t7 = v0, v1, v2, v3, v4, v5, v6, v7
	*t8, *t9, *t10, *t11, *t12, *t13, *t14, *t15 = v8, v9, v10, v11, v12, v13, v14, v15
}

// mix is GB of RFC 9106 section 3.6: BLAKE2b's G with a multiplication.
func mix(a, b, c, d uint64) (uint64, uint64, uint64, uint64) {
	a += b + 2*uint64(uint32(a))*uint64(uint32(b))
	d ^= a
	d = d>>32 | d<<32
	c += d + 2*uint64(uint32(c))*uint64(uint32(d))
	b ^= c
	b = b>>24 | b<<40
	a += b + 2*uint64(uint32(a))*uint64(uint32(b))
	d ^= a
	d = d>>16 | d<<48
	c += d + 2*uint64(uint32(c))*uint64(uint32(d))
	b ^= c
	b = b>>63 | b<<1
	return a, b, c, d
}

package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// MAC is a keyed hash, HMAC-SHA256 under a subkey of the master key. It is safe
// for concurrent use; keep one per purpose, since deriving the subkey costs
// more than the hash.
type MAC struct{ pool sync.Pool }

// MAC returns the keyed hash for one purpose. Two purposes never agree.
func (k MasterKey) MAC(purpose string) *MAC {
	key := k.derive("mac", purpose, 32)
	return &MAC{pool: sync.Pool{New: func() any { return &keyed{h: hmac.New(sha256.New, key)} }}}
}

// keyed is a hash whose inner and outer key blocks are computed already, and
// room for what would else be allocated in each call.
type keyed struct {
	h    hash.Hash
	len  [8]byte
	sum  [sha256.Size]byte
	text []byte
}

// Sum returns the MAC of the parts, each taken with its length: ("ab", "c") and
// ("a", "bc") differ. Compare with [Equal].
func (m *MAC) Sum(parts ...[]byte) [sha256.Size]byte {
	k, _ := m.pool.Get().(*keyed)
	k.h.Reset()
	for _, p := range parts {
		k.add(p)
	}
	return m.end(k)
}

// SumText is Sum of texts.
func (m *MAC) SumText(parts ...string) [sha256.Size]byte {
	k, _ := m.pool.Get().(*keyed)
	k.h.Reset()
	for _, p := range parts {
		k.text = append(k.text[:0], p...)
		k.add(k.text)
	}
	return m.end(k)
}

func (k *keyed) add(part []byte) {
	binary.BigEndian.PutUint64(k.len[:], uint64(len(part)))
	_, _ = k.h.Write(k.len[:]) // a hash.Hash never returns an error
	_, _ = k.h.Write(part)
}

func (m *MAC) end(k *keyed) [sha256.Size]byte {
	k.h.Sum(k.sum[:0])
	sum := k.sum
	m.pool.Put(k)
	return sum
}

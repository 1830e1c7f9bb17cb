package secret

import (
	"crypto/aes"
	"encoding/base64"
)

// Pairwise turns an id into another one for a sector, and back: a permutation of
// 128-bit blocks under a key of the sector (OpenID Connect Core section 8.1). Two
// sectors cannot tell whether they know the same id, and nothing has to be stored.
func (k MasterKey) Pairwise(sector string, id [16]byte) string {
	block, err := aes.NewCipher(k.derive("pairwise", sector, 32))
	if err != nil {
		panic("secret: " + err.Error()) // only for a wrong length of key
	}
	block.Encrypt(id[:], id[:])
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// Unpaired returns the id that Pairwise made text of. Any 128 bits are the text of
// some id: whether there is such a one is the caller's to look up.
func (k MasterKey) Unpaired(sector, text string) (id [16]byte, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, false
	}
	block, err := aes.NewCipher(k.derive("pairwise", sector, 32))
	if err != nil {
		panic("secret: " + err.Error())
	}
	block.Decrypt(id[:], b)
	return id, true
}

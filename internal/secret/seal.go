package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
)

// sealVersion is the first byte of everything sealed: AES-256-GCM, random
// 96-bit nonce before the ciphertext, subkey per purpose.
const sealVersion = 1

// ErrSealed is returned by Open for everything that does not open, whatever
// the reason, since the caller can do nothing else about any of them.
var ErrSealed = errors.New("The sealed value does not open: it was changed, belongs to another place, or was sealed under another master key.")

// Seal encrypts plaintext so that only the same purpose and the same bind
// strings open it. bind names the place the value belongs to, for example
// table and row id: a sealed value that is moved to another row stays shut.
// One purpose is good for 2^32 values (NIST SP 800-38D section 8.3).
func (k MasterKey) Seal(purpose string, plaintext []byte, bind ...string) ([]byte, error) {
	aead, err := k.aead(purpose)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 1, 1+len(plaintext)+aead.Overhead())
	sealed[0] = sealVersion
	return aead.Seal(sealed, nil, plaintext, associated(purpose, bind)), nil
}

// Open returns what was sealed, or [ErrSealed].
func (k MasterKey) Open(purpose string, sealed []byte, bind ...string) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	aead, err := k.aead(purpose)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, nil, sealed[1:], associated(purpose, bind))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

func (k MasterKey) aead(purpose string) (cipher.AEAD, error) {
	if k.IsZero() {
		return nil, errors.New("There is no master key: set MASTER_KEY.")
	}
	block, err := aes.NewCipher(k.derive("seal", purpose, 32))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// associated is the additional authenticated data: every string with its length,
// so that ("ab", "c") and ("a", "bc") are different places.
func associated(purpose string, bind []string) []byte {
	aad := []byte{sealVersion}
	for _, s := range append([]string{purpose}, bind...) {
		aad = binary.BigEndian.AppendUint64(aad, uint64(len(s)))
		aad = append(aad, s...)
	}
	return aad
}

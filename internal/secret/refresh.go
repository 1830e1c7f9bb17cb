package secret

import (
	"crypto/sha256"
	"encoding/binary"
)

// refreshLen is the family's id, its generation and a MAC over both.
const refreshLen = 16 + 4 + sha256.Size

// RefreshTokens derives refresh tokens (RFC 6749 section 1.5) instead of
// keeping them: a token is the id of its family and the family's generation,
// with a MAC. So the database holds nothing that could be replayed, a rotation
// changes one number, and every node that sees generation n inside the grace
// window gives out the same successor without having stored it.
type RefreshTokens struct{ mac *MAC }

// RefreshTokens returns the deriver under this master key.
func (k MasterKey) RefreshTokens() *RefreshTokens {
	return &RefreshTokens{mac: k.MAC("refresh-token")}
}

// Format returns the token of a generation of a family.
func (r *RefreshTokens) Format(familyID [16]byte, generation uint32) string {
	var b [refreshLen]byte
	copy(b[:16], familyID[:])
	binary.BigEndian.PutUint32(b[16:20], generation)
	sum := r.mac.Sum(b[:20])
	copy(b[20:], sum[:])
	return seal(RefreshToken, b[:])
}

// Parse returns what the token says, and ok only if this master key made it.
// Whether the generation is the present one is the family's row to say.
func (r *RefreshTokens) Parse(token string) (familyID [16]byte, generation uint32, ok bool) {
	var b [refreshLen]byte
	if !unseal(RefreshToken, token, b[:]) {
		return familyID, 0, false
	}
	sum := r.mac.Sum(b[:20])
	if !Equal(sum[:], b[20:]) {
		return familyID, 0, false
	}
	copy(familyID[:], b[:16])
	return familyID, binary.BigEndian.Uint32(b[16:20]), true
}

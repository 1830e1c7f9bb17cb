package password

import "errors"

// Params are the costs of argon2id (RFC 9106 section 3.1).
type Params struct {
	Memory uint32 // KiB
	Time   uint32 // passes over the memory
	Lanes  uint32 // always computed one after the other: a slot is one processor
}

// DefaultParams returns 19 MiB, two passes, one lane: the first choice of the
// OWASP password storage cheat sheet.
func DefaultParams() Params { return Params{Memory: 19456, Time: 2, Lanes: 1} }

// The most that a stored hash may cost. What costs more is refused, not run:
// whoever can write a hash must not be able to stop the server with it.
const (
	maxMemory = 256 << 10 // KiB, for argon2 and scrypt
	maxBlocks = 4 << 20   // argon2: memory x passes, a few seconds
	maxLanes  = 64
)

// check reports whether p can be computed here. The lower bounds are RFC 9106
// section 3.1.
func (p Params) check() error {
	switch {
	case p.Time < 1 || p.Lanes < 1 || p.Memory < 8*p.Lanes:
		return errors.New("argon2: needs at least one pass, one lane and 8 KiB for each lane")
	case p.Lanes > maxLanes || p.Memory > maxMemory || uint64(p.Memory)*uint64(p.Time) > maxBlocks:
		return errors.New("argon2: costs more than is allowed (256 MiB, 64 lanes, memory x passes 4 GiB)")
	}
	return nil
}

// below reports whether p is weaker than the parameters in force. Lanes do not
// count: they change who computes the work, not how much there is.
func (p Params) below(now Params) bool { return p.Memory < now.Memory || p.Time < now.Time }

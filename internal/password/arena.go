package password

// block is the unit of argon2 memory, 1 KiB (RFC 9106 section 3.2).
type block [128]uint64

// arena is the block memory of one slot, one block for each KiB. It lies
// outside the collected heap where the system allows: 19 MiB a slot would
// otherwise let the heap grow by as much again before it is collected.
type arena []block

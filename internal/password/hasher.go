package password

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Options configure a Hasher. The zero value of every field is its default.
type Options struct {
	Slots   int           // hashes computed at once; default: one for each processor
	Queue   int           // callers that may wait; default: 64 for each slot
	MaxWait time.Duration // longest wait for a slot; default: 2 s
	Params  Params        // costs of new hashes; default: DefaultParams
}

// Hasher computes and verifies password hashes within fixed bounds of memory
// and processors. It is safe for concurrent use. Whoever has a slot
// waits for one of the queue's threads, which end by themselves.
type Hasher struct {
	params   Params
	queue    *queue
	nobody   stored        // what is verified where there is no hash
	computed atomic.Uint64 // hashes, for tests: the same for known and unknown
}

// Lengths in bytes of what is new: RFC 9106 section 3.1 and 4.
const (
	saltSize = 16
	tagSize  = 32
)

// New returns a Hasher, or says which option cannot be.
func New(o Options) (*Hasher, error) {
	if o.Slots == 0 {
		o.Slots = runtime.GOMAXPROCS(0)
	}
	if o.Queue == 0 {
		o.Queue = 64 * o.Slots
	}
	if o.MaxWait == 0 {
		o.MaxWait = 2 * time.Second
	}
	if o.Params == (Params{}) {
		o.Params = DefaultParams()
	}
	if o.Slots < 0 || o.Queue < 0 || o.MaxWait < 0 {
		return nil, errors.New("password: slots, queue and longest wait cannot be negative")
	}
	if err := o.Params.check(); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	h := &Hasher{params: o.Params, queue: newQueue(o.Slots, o.Queue, o.MaxWait, o.Params.Memory)}
	h.nobody = stored{params: o.Params, memory: o.Params.Memory, matches: func(mem arena, password string) bool {
		argon2(mem, argon2id, o.Params, password, make([]byte, saltSize), tagSize)
		return false
	}}
	return h, nil
}

// Hash returns the argon2id hash of password as a PHC string. Errors are
// *keystone.Error: Invalid for a password that cannot be hashed (see
// MaxBytes), Unavailable when the queue is full; or the context's own.
func (h *Hasher) Hash(ctx context.Context, password string) (phc string, err error) {
	password, err = prepare(password)
	if err != nil {
		return "", err
	}
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	err = h.queue.run(ctx, h.params.Memory, false, func(mem arena) {
		h.computed.Add(1)
		phc = encode(h.params, salt, argon2(mem, argon2id, h.params, password, salt, tagSize))
	})
	return phc, err
}

// Verify reports whether password is the one that phc was made of, and whether
// phc should be replaced by a new hash of it: its parameters are below the
// present ones, or its format is an imported one. An empty phc (an unknown
// user, or one without a password) costs the same work and is never ok.
//
// Errors are those of Hash, and a plain error for a phc that is damaged, of an
// unknown format, or dearer than is allowed; it never quotes phc. With an error
// nothing was compared.
func (h *Hasher) Verify(ctx context.Context, phc, password string) (ok, rehash bool, err error) {
	prepared, err := prepare(password)
	if err != nil {
		return false, false, err
	}
	s := h.nobody
	if phc != "" {
		if s, err = parse(phc); err != nil {
			return false, false, fmt.Errorf("password: stored hash: %w", err)
		}
	}
	err = h.queue.run(ctx, s.memory, s.heap, func(mem arena) {
		h.computed.Add(1)
		ok = s.matches(mem, prepared)
		if !ok && !s.argon2id && phc != "" && prepared != password {
			// Where that hash was made, nobody may have normalised.
			ok = s.matches(mem, password)
		}
	})
	if err != nil || !ok {
		return false, false, err
	}
	return true, !s.argon2id || s.params.below(h.params), nil
}

// Stats returns how many hashes are being computed and how many callers wait.
func (h *Hasher) Stats() (inUse, waiting int) { return h.queue.stats() }

package token

import (
	"encoding/binary"
	"time"

	"github.com/keystone-auth/keystone/internal/secret"
)

// nonces makes and checks the nonces of DPoP proofs (RFC 9449 section 8). A nonce
// is a window of time and a keyed hash of it: nothing is stored, and every node
// takes those of every other, because the key follows from the master key.
type nonces struct{ mac *secret.MAC }

// nonceWindow is how long one nonce is given out. It is taken for one window
// more, and one earlier by nodes whose clock is behind.
const nonceWindow = 2 * time.Minute

const nonceMAC = 16 // bytes: guessing one takes longer than it lives

func newNonces(master secret.MasterKey) *nonces { return &nonces{mac: master.MAC("dpop-nonce")} }

func (n *nonces) of(window int64) string {
	var b [8 + nonceMAC]byte
	binary.BigEndian.PutUint64(b[:8], uint64(window))
	sum := n.mac.Sum(b[:8])
	copy(b[8:], sum[:nonceMAC])
	return b64.EncodeToString(b[:])
}

func windowAt(now time.Time) int64 { return now.Unix() / int64(nonceWindow/time.Second) }

// at returns the nonce to give out now.
func (n *nonces) at(now time.Time) string { return n.of(windowAt(now)) }

// good reports whether a nonce is one that was given out lately.
func (n *nonces) good(nonce string, now time.Time) bool {
	current, good := windowAt(now), false
	for window := current - 1; window <= current+1; window++ {
		if secret.Equal([]byte(nonce), []byte(n.of(window))) {
			good = true
		}
	}
	return good
}

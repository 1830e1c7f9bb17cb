package password

import (
	"crypto/sha256"
	_ "embed" // common.bin
	"strings"
)

// common.bin holds the most common passwords of known breaches, each as the
// first prefixSize bytes of the SHA-256 of its folded form, sorted. It is
// searched where it lies in the binary. COMMON.md says where it comes from.
//
//go:embed common.bin
var commonPrefixes string

// prefixSize makes a false alarm as likely as 53,000 in 2^48.
const prefixSize = 6

// isCommon reports whether a prepared password, in upper or lower case, is in
// the list. Only the whole password counts: variants (digits behind it, 3 for
// e) are other passwords, and what counts against those is length.
func isCommon(prepared string) bool {
	sum := sha256.Sum256([]byte(strings.ToLower(prepared)))
	want := string(sum[:prefixSize])
	low, high := 0, len(commonPrefixes)/prefixSize
	for low < high {
		mid := int(uint(low+high) >> 1)
		if commonPrefixes[mid*prefixSize:(mid+1)*prefixSize] < want {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low*prefixSize < len(commonPrefixes) && commonPrefixes[low*prefixSize:(low+1)*prefixSize] == want
}

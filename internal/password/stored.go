package password

import (
	"errors"
	"fmt"
	"strings"

	"github.com/keystone-auth/keystone"
)

// stored is a parsed hash: what its verification costs, and how it is done.
type stored struct {
	argon2id bool
	params   Params // of argon2id
	memory   uint32 // KiB that matches uses
	heap     bool   // matches takes its memory from the heap, not from the arena
	matches  func(mem arena, password string) bool
}

// What a stored hash must look like to be read at all. The tag's lower bound
// keeps a shortened one from matching by chance.
const (
	maxStored = 1024 // bytes of the whole string
	maxSalt   = 128
	minTag    = 16
	maxTag    = 128
)

var (
	errFormat = errors.New("its format is not one that is supported (argon2id, argon2i, bcrypt, scrypt, PBKDF2, SHA-crypt)")
	errShape  = errors.New("it is damaged: a field is missing, too short, too long or not encoded as its format demands")
	errCosts  = errors.New("it is refused: verifying it would cost more than is allowed")
)

// formats are the hashes that are read, by their first field.
var formats = []struct {
	name  string
	parse func(fields []string) (stored, error)
}{
	{"argon2id", parseArgon2},
	{"argon2i", parseArgon2},
	{"2a", parseBcrypt},
	{"2b", parseBcrypt},
	{"2y", parseBcrypt},
	{"scrypt", parseScrypt},
	{"pbkdf2", parsePBKDF2},
	{"pbkdf2-sha1", parsePBKDF2},
	{"pbkdf2-sha256", parsePBKDF2},
	{"pbkdf2-sha512", parsePBKDF2},
	{"pbkdf2_sha1", parseDjango},
	{"pbkdf2_sha256", parseDjango},
	{"5", parseSHACrypt},
	{"6", parseSHACrypt},
}

// CheckImported says whether a hash that another program made can be verified
// here. An error is a *keystone.Error of kind Invalid for the field password_hash;
// it never quotes the hash.
func CheckImported(phc string) error {
	if _, err := parse(phc); err != nil {
		return keystone.FailField("password_hash", "The hash cannot be taken over: "+err.Error()+".")
	}
	return nil
}

// parse reads a stored hash: $name$…, or as Django writes it, name$….
func parse(phc string) (stored, error) {
	// Nothing but printable ASCII: base64 decoders skip line ends.
	if len(phc) > maxStored || strings.ContainsFunc(phc, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return stored{}, errShape
	}
	fields := strings.Split(strings.TrimPrefix(phc, "$"), "$")
	for _, f := range formats {
		// Django's names have an underscore, and no dollar sign before them.
		if f.name != fields[0] || strings.Contains(f.name, "_") == strings.HasPrefix(phc, "$") {
			continue
		}
		s, err := f.parse(fields)
		if err != nil {
			return stored{}, fmt.Errorf("%s: %w", f.name, err)
		}
		return s, nil
	}
	return stored{}, errFormat
}

package password

import (
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // inside PBKDF2 its collisions do not matter (RFC 8018 appendix B.1), and it is only read
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"strings"

	"github.com/go-crypt/crypt/algorithm/shacrypt"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// The most that imported hashes may cost, about three seconds each.
const (
	maxBcryptCost      = 16
	maxScryptWork      = 4 << 20 // N x r x p; 128 bytes each
	maxPBKDF2Rounds    = 5_000_000
	maxSHACryptRounds  = 1_000_000
	minSHACryptRounds  = 1000 // fewer are raised to it by the format itself
	maxBcryptBytes     = 72
	bcryptEncodedBytes = 22 + 31 // salt and tag
)

// parseBcrypt reads 2b$cost$salt-and-tag. bcrypt sees 72 bytes and no more: a
// longer password never matches here, it is not compared by its beginning
// (ASVS 6.2.8). $2x$ marks the output of a broken implementation.
func parseBcrypt(fields []string) (stored, error) {
	if len(fields) != 3 || len(fields[1]) != 2 || len(fields[2]) != bcryptEncodedBytes {
		return stored{}, errShape
	}
	phc := []byte("$" + strings.Join(fields, "$"))
	cost, err := bcrypt.Cost(phc)
	if err != nil {
		return stored{}, errShape
	}
	if cost > maxBcryptCost {
		return stored{}, errCosts
	}
	return stored{matches: func(_ arena, password string) bool {
		fits := len(password) <= maxBcryptBytes
		return bcrypt.CompareHashAndPassword(phc, []byte(password)) == nil && fits
	}}, nil
}

// parseScrypt reads scrypt$ln=…,r=…,p=…$salt$tag (RFC 7914; ln is log2 N).
func parseScrypt(fields []string) (stored, error) {
	if len(fields) != 4 {
		return stored{}, errShape
	}
	n, ok := numbers(fields[1], "ln", "r", "p")
	salt, tag, ok2 := saltAndTag(fields[2], fields[3])
	if !ok || !ok2 || n[0] < 1 || n[1] < 1 || n[2] < 1 {
		return stored{}, errShape
	}
	ln, r, p := n[0], n[1], n[2]
	if ln > 20 || r > 64 || p > 64 || uint64(r*p)<<ln > maxScryptWork || uint64(r)<<ln > maxMemory<<3 {
		return stored{}, errCosts
	}
	return stored{memory: r << ln >> 3, heap: true, matches: func(_ arena, password string) bool {
		got, err := scrypt.Key([]byte(password), salt, 1<<ln, int(r), int(p), len(tag))
		return err == nil && subtle.ConstantTimeCompare(got, tag) == 1
	}}, nil
}

// parsePBKDF2 reads pbkdf2-sha256$rounds$salt$tag as passlib writes it ('.'
// for '+'), or with i=rounds,l=length as PHC strings have it. Plain "pbkdf2" is
// SHA-1.
func parsePBKDF2(fields []string) (stored, error) {
	if len(fields) != 4 {
		return stored{}, errShape
	}
	salt, tag, ok := saltAndTag(strings.ReplaceAll(fields[2], ".", "+"), strings.ReplaceAll(fields[3], ".", "+"))
	if !ok {
		return stored{}, errShape
	}
	rounds, ok := number(fields[1], true)
	if n, named := numbers(fields[1], "i"); named {
		rounds, ok = n[0], true
	} else if n, named := numbers(fields[1], "i", "l"); named {
		rounds, ok = n[0], n[1] == uint32(len(tag))
	}
	if !ok {
		return stored{}, errShape
	}
	return pbkdf2Stored(strings.TrimPrefix(strings.TrimPrefix(fields[0], "pbkdf2"), "-"), rounds, salt, tag)
}

// parseDjango reads pbkdf2_sha256$rounds$salt$tag: the salt is text, the tag
// is padded base64.
func parseDjango(fields []string) (stored, error) {
	if len(fields) != 4 || len(fields[2]) > maxSalt {
		return stored{}, errShape
	}
	rounds, ok := number(fields[1], true)
	tag, err := base64.StdEncoding.Strict().DecodeString(fields[3])
	if !ok || err != nil || len(tag) < minTag || len(tag) > maxTag {
		return stored{}, errShape
	}
	return pbkdf2Stored(strings.TrimPrefix(fields[0], "pbkdf2_"), rounds, []byte(fields[2]), tag)
}

func pbkdf2Stored(name string, rounds uint32, salt, tag []byte) (stored, error) {
	switch {
	case rounds < 1 || len(salt) == 0:
		return stored{}, errShape
	case rounds > maxPBKDF2Rounds:
		return stored{}, errCosts
	case name == "sha256":
		return pbkdf2With(sha256.New, int(rounds), salt, tag), nil
	case name == "sha512":
		return pbkdf2With(sha512.New, int(rounds), salt, tag), nil
	}
	return pbkdf2With(sha1.New, int(rounds), salt, tag), nil
}

func pbkdf2With[H hash.Hash](h func() H, rounds int, salt, tag []byte) stored {
	return stored{matches: func(_ arena, password string) bool {
		got, err := pbkdf2.Key(h, password, salt, rounds, len(tag))
		return err == nil && subtle.ConstantTimeCompare(got, tag) == 1
	}}
}

// parseSHACrypt reads 5$ and 6$ (SHA-256 and SHA-512 crypt, as in shadow
// files): 6$rounds=…$salt$tag, where rounds may be left out.
func parseSHACrypt(fields []string) (stored, error) {
	want := map[string]int{"5": 43, "6": 86}[fields[0]]
	n := len(fields)
	if n != 3 && n != 4 || len(fields[n-2]) > 16 || len(fields[n-1]) != want {
		return stored{}, errShape
	}
	if n == 4 {
		rounds, ok := numbers(fields[1], "rounds")
		if !ok || rounds[0] < minSHACryptRounds {
			return stored{}, errShape
		}
		if rounds[0] > maxSHACryptRounds {
			return stored{}, errCosts
		}
	}
	d, err := shacrypt.Decode("$" + strings.Join(fields, "$"))
	if err != nil {
		return stored{}, errShape
	}
	return stored{matches: func(_ arena, password string) bool { return d.Match(password) }}, nil
}

package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/server"
)

// passwordFlags say where a password comes from. It is never an argument: those
// are seen by everybody on the machine, and kept in the shell's history.
type passwordFlags struct{ stdin, hashStdin bool }

func (f *passwordFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.stdin, "password-stdin", false, "read the password from standard input")
	c.Flags().BoolVar(&f.hashStdin, "password-hash-stdin", false, "read a hash of the password, made by another program, from standard input (argon2, bcrypt, scrypt, PBKDF2, SHA-crypt)")
	c.MarkFlagsMutuallyExclusive("password-stdin", "password-hash-stdin")
}

// takenPassword is a password that the policy allows, or the hash of one that
// nobody here knows: the policy meets that one when it is changed.
type takenPassword struct {
	value     string
	imported  string // the hash; value is empty then
	generated bool   // and so shown, this once
}

// take reads or makes the password and checks it against the policy.
func (f *passwordFlags) take(a *app, cfg *config.Config, u keystone.User) (takenPassword, error) {
	policy, err := server.Policy(cfg)
	if err != nil {
		return takenPassword{}, err
	}
	if f.hashStdin {
		hash, err := readSecret(a.in)
		if err != nil {
			return takenPassword{}, err
		}
		return takenPassword{imported: hash}, password.CheckImported(hash)
	}
	if !f.stdin {
		value, err := generatePassword(policy, u)
		return takenPassword{value: value, generated: true}, err
	}
	value, err := readSecret(a.in)
	if err != nil {
		return takenPassword{}, err
	}
	return takenPassword{value: value}, policy.Check(value, u)
}

func (p takenPassword) hash(ctx context.Context, cfg *config.Config) (string, error) {
	if p.imported != "" {
		return p.imported, nil
	}
	h, err := password.New(password.Options{Slots: cfg.HashSlots})
	if err != nil {
		return "", err
	}
	return h.Hash(ctx, p.value)
}

// print shows the user, and the password where it was made here.
func (p takenPassword) print(a *app, u keystone.User) error {
	v := viewUser(u)
	if p.generated {
		v.Password = p.value
	}
	if err := printOne(a, v, userColumns); err != nil || a.json || !p.generated {
		return err
	}
	return a.say("\nPassword, shown this once: %s", p.value)
}

// maxSecretInput bounds what is read from standard input; the password room
// decides how long a password may be.
const maxSecretInput = 8 << 10

// readSecret reads a secret from standard input, without the line end that
// echo puts behind it.
func readSecret(in io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(in, maxSecretInput+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxSecretInput:
		return "", errors.New("what was given on standard input is too long for a password")
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if value == "" {
		return "", errors.New("no password was given on standard input")
	}
	return value, nil
}

// generatePassword makes a password that every policy allows: letters and digits
// in groups, from a bearer value's 256 random bits.
func generatePassword(policy password.Policy, u keystone.User) (string, error) {
	const groups, size = 5, 5 // 25 of 62 characters: 148 bits
	for range 100 {           // a few per cent of them lack a digit or hold a word
		var b strings.Builder
		n := 0
		for _, r := range bearerText() {
			if n == groups*size || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				continue
			}
			if n > 0 && n%size == 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			n++
		}
		if n == groups*size && policy.Check(b.String(), u) == nil {
			return b.String(), nil
		}
	}
	return "", errors.New("the password policy is too strict for a generated password: give one with --password-stdin")
}

// bearerText is random text of letters, digits, - and _, without its prefix
// and checksum.
func bearerText() string {
	s := strings.TrimPrefix(secret.New(secret.OneTime), secret.OneTime)
	return s[:len(s)-6]
}

package password

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keystone-auth/keystone"
)

// Policy says which passwords may be chosen. It is not asked at sign-in: a
// password that was allowed once goes on working. The zero Policy allows
// nothing; make one with NewPolicy.
type Policy struct {
	profile   string
	minLength int
	upper     bool
	lower     bool
	digits    bool
	special   bool
	known     bool // refuses what is tried first: common passwords, patterns, what is about the account
	appName   string
}

// Overrides are the single PASSWORD_* settings. What is zero or nil stays as
// the profile has it.
type Overrides struct {
	AppName        string // what no password may be made of, besides names
	MinLength      int
	RequireUpper   *bool
	RequireLower   *bool
	RequireDigits  *bool
	RequireSpecial *bool
}

// The lengths that may be demanded: NIST SP 800-63B-4 section 3.1.1.2 wants no
// less than 8 anywhere, and 64 accepted everywhere.
const (
	shortestMinimum = 8
	longestMinimum  = 64
)

// profiles are the values of PASSWORD_PROFILE.
var profiles = map[string]Policy{
	// OWASP ASVS 6.2: length, no composition, nothing that is known.
	"modern": {profile: "modern", minLength: 12, known: true},
	// NIST SP 800-63B-4: 15 where the password is the only factor.
	"nist": {profile: "nist", minLength: 15, known: true},
	// For accounts moved from a system with this policy: Password1! will do.
	"seed": {profile: "seed", minLength: 8, upper: true, lower: true, digits: true, special: true},
}

// NewPolicy returns the policy of a profile (modern, nist or seed) with single
// rules overridden. The error names the setting and says what it may be.
func NewPolicy(profile string, o Overrides) (Policy, error) {
	p, ok := profiles[profile]
	if !ok {
		return Policy{}, errors.New("PASSWORD_PROFILE is modern, nist or seed, for example PASSWORD_PROFILE=modern")
	}
	if o.MinLength != 0 {
		if o.MinLength < shortestMinimum || o.MinLength > longestMinimum {
			return Policy{}, fmt.Errorf("PASSWORD_MIN_LENGTH is a number from %d to %d, for example PASSWORD_MIN_LENGTH=12", shortestMinimum, longestMinimum)
		}
		p.minLength = o.MinLength
	}
	p.appName = o.AppName
	for rule, set := range map[*bool]*bool{
		&p.upper: o.RequireUpper, &p.lower: o.RequireLower, &p.digits: o.RequireDigits, &p.special: o.RequireSpecial,
	} {
		if set != nil {
			*rule = *set
		}
	}
	return p, nil
}

// WithSecondFactor returns the policy for accounts that always sign in with a
// second factor as well: nist then accepts 8 characters.
func (p Policy) WithSecondFactor() Policy {
	if p.profile == "nist" && p.minLength == profiles["nist"].minLength {
		p.minLength = shortestMinimum
	}
	return p
}

// Check returns nil if password may be chosen, else a *keystone.Error of kind
// Invalid whose field "password" names every rule that is broken. What is known of u
// an attacker would try first: username, e-mail address and names; and the
// application's name.
func (p Policy) Check(password string, u keystone.User) error {
	if reasons := p.Reasons(password, u); len(reasons) > 0 {
		return keystone.FailField("password", strings.Join(reasons, " "))
	}
	return nil
}

// Reasons returns a sentence for every rule that password breaks, for callers
// whose field has another name.
func (p Policy) Reasons(password string, u keystone.User) (reasons []string) {
	prepared, err := prepare(password)
	if err != nil {
		var e *keystone.Error
		if errors.As(err, &e) {
			return []string{e.Fields["password"]}
		}
		return []string{err.Error()}
	}
	broken := func(is bool, why string) {
		if is {
			reasons = append(reasons, why)
		}
	}
	broken(utf8.RuneCountInString(prepared) < max(p.minLength, 1), fmt.Sprintf("Use at least %d characters.", p.minLength))
	broken(strings.ContainsFunc(prepared, unicode.IsControl), "Leave out control characters.")
	broken(p.upper && !strings.ContainsFunc(prepared, unicode.IsUpper), "Add an upper case letter.")
	broken(p.lower && !strings.ContainsFunc(prepared, unicode.IsLower), "Add a lower case letter.")
	broken(p.digits && !strings.ContainsFunc(prepared, unicode.IsDigit), "Add a digit.")
	broken(p.special && !strings.ContainsFunc(prepared, isSpecial), "Add a character that is neither letter nor digit.")
	broken(p.known && isCommon(prepared), "This is one of the most common passwords, which are tried first. Choose another one.")
	broken(p.known && isPattern(prepared), "This repeats or counts through a few characters. Choose something less regular.")
	broken(p.known && isAbout(prepared, u, p.appName), "This is mostly your name, your address or the name of this service. Choose something that is not about the account.")
	return reasons
}

func isSpecial(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// Describe returns the rules in words, for people who are about to choose.
func (p Policy) Describe() []string {
	rules := []string{fmt.Sprintf("At least %d characters, at most %d bytes; all characters and spaces are allowed.", p.minLength, MaxBytes)}
	for _, r := range []struct {
		demanded bool
		what     string
	}{
		{p.upper, "At least one upper case letter."},
		{p.lower, "At least one lower case letter."},
		{p.digits, "At least one digit."},
		{p.special, "At least one character that is neither letter nor digit."},
	} {
		if r.demanded {
			rules = append(rules, r.what)
		}
	}
	if !p.known {
		return rules
	}
	return append(rules,
		"None of the most common passwords, in upper or lower case.",
		"No plain repetition or sequence.",
		"Not mainly your username, your e-mail address or the name of this service.")
}

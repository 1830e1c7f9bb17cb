package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is a limit: Count in each Per. The zero Rate is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

const maxRate = 1_000_000

var periods = []struct {
	name string
	per  time.Duration
}{
	{"second", time.Second}, {"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour},
}

// ParseRate reads "5/minute" (second, minute, hour, day) or "off".
func ParseRate(s string) (Rate, error) {
	if s == "off" {
		return Rate{}, nil
	}
	number, period, _ := strings.Cut(s, "/")
	for _, p := range periods {
		if period != p.name {
			continue
		}
		if n, err := strconv.Atoi(number); err == nil && n >= 1 && n <= maxRate {
			return Rate{Count: n, Per: p.per}, nil
		}
	}
	return Rate{}, fmt.Errorf("%s is not a rate: a number from 1 to %d, a slash, then second, minute, hour or day; or off", shown(s), maxRate)
}

// String returns the rate as it is written in a setting.
func (r Rate) String() string {
	for _, p := range periods {
		if p.per == r.Per && r.Count > 0 {
			return strconv.Itoa(r.Count) + "/" + p.name
		}
	}
	if r.Count <= 0 {
		return "off"
	}
	return fmt.Sprintf("%d/%s", r.Count, r.Per)
}

// MarshalText returns String.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

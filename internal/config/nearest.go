package config

import (
	"regexp"
	"strings"
)

// unknown says what is wrong with a name nobody knows, and which one may have
// been meant.
func unknown(name string, known []string) string {
	if kubernetes.MatchString(name) {
		return "is no setting, but one of the variables that Kubernetes makes for a service of that name: set enableServiceLinks: false in the pod, or rename the service"
	}
	if near := nearest(name, known); near != "" {
		return "is no setting: did you mean " + near + "?"
	}
	return "is no setting: docs/CONFIG.md and `keystone config show` list them"
}

var kubernetes = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?$`)

// nearest returns the known name that is the fewest edits away from name, in
// the spelling (with or without KEYSTONE_) that was used, or "" if none is near.
func nearest(name string, known []string) string {
	used := strings.ToUpper(name)
	bare, prefixed := strings.CutPrefix(used, prefix)
	best, most := "", 1+len(bare)/4
	for _, k := range known {
		d := distance(bare, k)
		if len(bare) > 3 && strings.HasPrefix(k, bare+"_") { // the end was forgotten
			d = min(d, 2)
		}
		if d <= most {
			best, most = k, d-1 // strictly nearer from here on
		}
	}
	if best != "" && prefixed {
		best = prefix + best
	}
	return best
}

// distance counts the insertions, removals, changes and swaps of neighbours
// that turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

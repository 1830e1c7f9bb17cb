//go:build race

package keystonetest_test

// race is true where the race detector makes everything slow.
const race = true

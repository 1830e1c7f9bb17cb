//go:build !race

package keystonetest_test

const race = false

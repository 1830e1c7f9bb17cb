// Package interop tests Keystone with clients that others wrote, and with a real
// browser. Nothing of it ships. Clients written in Go are tested where the
// browser of the Go tests is, in interop_test.go at the root.
package interop

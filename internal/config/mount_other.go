//go:build !linux

package config

// onReadOnlyMount is not found out here: containers run on Linux.
func onReadOnlyMount(string) bool { return false }

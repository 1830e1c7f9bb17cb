//go:build unix && !linux

package password

func hugePages([]byte) {}

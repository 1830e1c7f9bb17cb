//go:build unix

package main

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// freeDisk returns the bytes that this user may still write where path is, or
// will be, and the size of that disk.
func freeDisk(path string) (free, total uint64, ok bool) {
	for {
		var s unix.Statfs_t
		if err := unix.Statfs(path, &s); err == nil {
			size := uint64(s.Bsize)
			left := max(0, int64(s.Bavail)) // FreeBSD counts below zero what only root may write
			return uint64(left) * size, s.Blocks * size, true
		}
		parent := filepath.Dir(path)
		if parent == path {
			return 0, 0, false
		}
		path = parent
	}
}

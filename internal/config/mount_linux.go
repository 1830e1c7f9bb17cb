package config

import "syscall"

// onReadOnlyMount reports whether nothing can be written where the file lies.
func onReadOnlyMount(path string) bool {
	const readOnly = 1 // ST_RDONLY
	var fs syscall.Statfs_t
	return syscall.Statfs(path, &fs) == nil && fs.Flags&readOnly != 0
}

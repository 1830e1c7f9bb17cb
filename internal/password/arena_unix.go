//go:build unix

package password

import (
	"fmt"
	"syscall"
	"unsafe"
)

func newArena(kib uint32) (arena, error) {
	b, err := syscall.Mmap(-1, 0, int(kib)<<10, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("map %d KiB: %w", kib, err)
	}
	hugePages(b)
	return unsafe.Slice((*block)(unsafe.Pointer(&b[0])), kib), nil //nolint:gosec // page-aligned, and as long as it says
}

func (a arena) release() {
	// Munmap fails only for memory that was never mapped.
	_ = syscall.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(&a[0])), len(a)<<10)) //nolint:gosec // the bytes that newArena mapped
}

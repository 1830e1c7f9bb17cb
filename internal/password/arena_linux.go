package password

import "syscall"

// hugePages asks for 2 MiB pages: argon2 reads blocks in random order, and with
// 4 KiB pages an eighth of its time goes into finding them. A kernel that has
// none refuses, which changes nothing.
func hugePages(b []byte) { _ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) }

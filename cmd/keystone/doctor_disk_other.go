//go:build !unix

package main

// freeDisk cannot say anything here.
func freeDisk(string) (free, total uint64, ok bool) { return 0, 0, false }

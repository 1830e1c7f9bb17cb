package proc

import (
	"os"
	"runtime"
	"testing"
	"time"
)

func TestOwnProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		if _, err := CPU(os.Getpid()); err == nil {
			t.Error("a reading where there is no /proc")
		}
		return
	}
	pid := os.Getpid()
	before, err := CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; {
	}
	after, err := CPU(pid)
	if used := after - before; err != nil || used < 10*time.Millisecond || used > 5*time.Second {
		t.Errorf("100 ms of work counted as %s (%v)", used, err)
	}
	family, err := FamilyCPU(os.Getppid())
	if err != nil || family < after {
		t.Errorf("the family used %s, one child of it %s (%v)", family, after, err)
	}
	if parent, err := Parent(pid); err != nil || parent != os.Getppid() {
		t.Errorf("parent %d, want %d (%v)", parent, os.Getppid(), err)
	}
	block := make([]byte, 64<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	m, err := ReadMemory(pid)
	if err != nil || m.Now < 64<<20 || m.Peak < m.Now {
		t.Errorf("%+v after touching 64 MiB (%v)", m, err)
	}
	runtime.KeepAlive(block)
	if busy, all, err := Machine(); err != nil || busy <= 0 || all < busy {
		t.Errorf("busy %s of %s (%v)", busy, all, err)
	}
	if _, err := CPU(1 << 30); err == nil {
		t.Error("a process that is not there has used time")
	}
}

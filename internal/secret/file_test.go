package secret

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestMasterKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "deep", "master.key")
	if _, err := LoadOrCreateMasterKey(path, false); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("without create: %v", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Fatal("without create the folder was made")
	}
	k, err := LoadOrCreateMasterKey(path, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, create := range []bool{true, false} {
		again, err := LoadOrCreateMasterKey(path, create)
		if err != nil || again.Encode() != k.Encode() {
			t.Errorf("read again (create %v): %v", create, err)
		}
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700 | fs.ModeDir} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("something was left beside the key: %v", entries)
	}
}

func TestMasterKeyFileRefused(t *testing.T) {
	key := NewMasterKey().Encode()
	write := func(text string, mode fs.FileMode) func(string) error {
		return func(path string) error {
			return errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode))
		}
	}
	for _, test := range []struct {
		name string
		make func(path string) error
		want string
	}{
		{"group may read", write(key, 0o640), "chmod 600"},
		{"others may read", write(key, 0o604), "chmod 600"},
		{"others may write", write(key, 0o602), "chmod 600"},
		{"0644 (SECURITY.md S6)", write(key, 0o644), "chmod 600"},
		{"symbolic link", func(path string) error {
			return errors.Join(os.WriteFile(path+".real", []byte(key), 0o600), os.Symlink(path+".real", path))
		}, "symbolic link"},
		{"dangling link", func(path string) error { return os.Symlink(path+".nowhere", path) }, "symbolic link"},
		{"folder", func(path string) error { return os.Mkdir(path, 0o700) }, "regular file"},
		{"pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "regular file"},
		{"empty", write("", 0o600), "empty"},
		{"cut", write(key[:40], 0o600), "bytes"},
		{"weak", write(strings.Repeat("A", 43)+"=", 0o600), "not random"},
		{"huge", write(strings.Repeat(key, 1000), 0o600), "base64"},
	} {
		path := filepath.Join(t.TempDir(), "master.key")
		if err := test.make(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path + ".real")
		k, err := LoadOrCreateMasterKey(path, true)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error with the path and %q", test.name, err, test.want)
		}
		if !k.IsZero() {
			t.Errorf("%s: a key beside an error", test.name)
		}
		if after, _ := os.ReadFile(path + ".real"); string(after) != string(before) {
			t.Errorf("%s: the linked file was changed", test.name)
		}
		if err != nil && strings.Contains(err.Error(), key[:8]) {
			t.Errorf("%s: the error repeats the key", test.name)
		}
	}
}

func TestMasterKeyFileOnceAmongMany(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "d", "master.key")
		var wg sync.WaitGroup
		var keys [16]string
		for i := range keys {
			wg.Go(func() {
				k, err := LoadOrCreateMasterKey(path, true)
				if err != nil {
					t.Error(err)
					return
				}
				keys[i] = k.Encode()
			})
		}
		wg.Wait()
		for _, k := range keys {
			if k != keys[0] {
				t.Fatal("two keys for one path")
			}
		}
	}
}

// The same among processes: the test starts itself.
func TestMasterKeyFileOnceAmongProcesses(t *testing.T) {
	if path := os.Getenv("SECRET_TEST_KEY_PATH"); path != "" {
		k, err := LoadOrCreateMasterKey(path, true)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdout.WriteString("id=" + k.ID() + "\n")
		return
	}
	path := filepath.Join(t.TempDir(), "d", "master.key")
	var wg sync.WaitGroup
	var ids [4]string
	for i := range ids {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
			cmd.Env = append(os.Environ(), "SECRET_TEST_KEY_PATH="+path)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
				return
			}
			ids[i], _, _ = strings.Cut(string(out), "\n")
		})
	}
	wg.Wait()
	for _, id := range ids {
		if !strings.HasPrefix(id, "id=") || id != ids[0] {
			t.Fatalf("the processes disagree: %q", ids)
		}
	}
}

func TestMasterKeyFileCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err := LoadOrCreateMasterKey(filepath.Join(file, "master.key"), true); err == nil || !k.IsZero() {
		t.Error("made a key below a file")
	}
}

package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// LoadOrCreateMasterKey reads the key file at path. If there is none and create
// is true it makes one, mode 0600, in a folder it makes with mode 0700 if need
// be. Processes that start at the same moment end with the same key, and a
// crash leaves either no key or a whole one.
//
// It refuses a file that others may read, a symbolic link and whatever is not
// a regular file.
func LoadOrCreateMasterKey(path string, create bool) (MasterKey, error) {
	key, err := loadMasterKey(path)
	if !create || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createMasterKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return MasterKey{}, fmt.Errorf("make the master key file: %w", err)
	}
	return loadMasterKey(path) // ours, or that of the process which was faster
}

func loadMasterKey(path string) (MasterKey, error) {
	refuse := func(why string) (MasterKey, error) {
		return MasterKey{}, fmt.Errorf("The master key file %s %s.", path, why)
	}
	// Lstat before Open: a link must be seen as a link, and opening a pipe
	// would wait for its writer.
	before, err := os.Lstat(path)
	switch {
	case err != nil:
		return MasterKey{}, fmt.Errorf("read the master key file: %w", err)
	case before.Mode()&fs.ModeSymlink != 0:
		return refuse("is a symbolic link: put the file itself there")
	case !before.Mode().IsRegular():
		return refuse("is not a regular file: remove it or choose another path")
	case before.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return refuse("may be read by others: run `chmod 600` on it, and replace the key if others had access")
	}
	f, err := os.Open(path)
	if err != nil {
		return MasterKey{}, fmt.Errorf("read the master key file: %w", err)
	}
	defer func() { _ = f.Close() }()
	after, err := f.Stat()
	if err != nil {
		return MasterKey{}, fmt.Errorf("read the master key file: %w", err)
	}
	if !os.SameFile(before, after) {
		return refuse("was replaced while it was read: start again")
	}
	text, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return MasterKey{}, fmt.Errorf("read the master key file: %w", err)
	}
	key, err := ParseMasterKey(string(text))
	if err != nil {
		return MasterKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// createMasterKey writes a new key beside path and links it there: the name
// appears with the whole content on disk, and only for one process.
func createMasterKey(path string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".master.key.*") // O_EXCL, 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(NewMasterKey().Encode() + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

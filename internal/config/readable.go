package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// warnOfReadable warns of files with secrets in them that everybody on the machine
// can read, or others than their owner can write. That its group reads a file is how
// a service is given one, and how Kubernetes mounts secrets (0440, 0640), and is
// taken for meant. Nothing of it is refused, but the master key (refuseSharedKey):
// within a container everybody is one.
func (l *loading) warnOfReadable(file *layer) {
	var paths []string
	for _, f := range fields() {
		value, from, _ := file.find(f)
		if f.secret && value != "" && from.path == "" && (!strings.HasSuffix(f.name, "_URL") || maskURL(value) != value) {
			paths = append(paths, file.path)
		}
		if o := l.origins[f.name]; o.path != "" {
			paths = append(paths, o.path)
		}
	}
	if l.TLSKeyFile != "" {
		paths = append(paths, l.TLSKeyFile)
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o027 != 0 {
			l.warn(fmt.Sprintf("%s holds a secret and is open to others (mode %04o). Run: chmod 600 %s", filepath.Clean(path), info.Mode().Perm(), filepath.Clean(path)))
		}
	}
}

// refuseSharedKey refuses a master key that others could have read or could replace.
// Its group may read it, as above. Everybody may where that is how the file came
// to a container: under /run/secrets, where Docker and Podman mount secrets 0444, or
// on a mount that nobody there can write, as Kubernetes has them. Behind a folder that
// others may not enter, its own mode does not matter.
func (l *loading) refuseSharedKey() {
	path := l.origins["MASTER_KEY"].path
	if path == "" || runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(path)
	if err != nil {
		return // it was read a moment ago
	}
	if who := sharedWith(info.Mode(), handedOver(path) || closedAbove(path)); who != "" {
		l.refuse("MASTER_KEY", fmt.Sprintf("names a file that %s (mode %04o): run `chmod 600` on it, and replace the key if others had access", who, info.Mode().Perm()))
	}
}

func sharedWith(mode os.FileMode, kept bool) string {
	switch {
	case mode&0o022 != 0:
		return "may be written by others"
	case mode&0o004 != 0 && !kept:
		return "may be read by everybody"
	}
	return ""
}

// handedOver reports whether a container was given the file so.
func handedOver(path string) bool {
	abs, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	for _, mount := range []string{"/run/secrets/", "/var/run/secrets/"} {
		if strings.HasPrefix(abs, mount) {
			return true
		}
	}
	return onReadOnlyMount(abs)
}

// closedAbove reports whether a folder on the way to the file keeps everybody else out.
func closedAbove(path string) bool {
	path, err := filepath.EvalSymlinks(path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	for err == nil && path != filepath.Dir(path) {
		path = filepath.Dir(path)
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o001 == 0 {
			return true
		}
	}
	return false
}

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
// taken for meant. Nothing is refused: within a container everybody is one.
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

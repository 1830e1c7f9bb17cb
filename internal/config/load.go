package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Options say where settings come from.
type Options struct {
	// ConfigFile is read instead of .env. Unlike .env it has to exist.
	ConfigFile string
	// Environ is the environment as NAME=value. Use Environ for the real one.
	Environ []string
	// Dir is the working folder: .env and relative paths of files with settings
	// are taken from here. Empty is the process's own.
	Dir string
}

// Environ returns the environment of the process.
func Environ() []string { return os.Environ() }

// maxFile bounds a file of settings and a file that holds a secret.
const maxFile = 256 << 10

// Load reads the settings: defaults, then .env or ConfigFile, then the
// environment; each later one wins. In each, KEYSTONE_NAME wins over NAME, and
// a secret may be the content of the file that NAME_FILE names instead. An
// empty value is the same as none.
//
// Unknown names, in a file or with KEYSTONE_ in the environment, are refused.
// The error is of type [Problems] and holds everything that is wrong.
func Load(o Options) (*Config, error) {
	l := &loading{
		Config: &Config{origins: map[string]origin{}},
		byName: map[string]field{},
		bad:    map[string]bool{},
	}
	var known []string
	for _, f := range fields() {
		l.byName[f.name] = f
		known = append(known, f.name)
		if f.secret {
			known = append(known, f.name+"_FILE")
		}
	}

	env := layer{where: "environment", dir: o.Dir, entries: environEntries(o.Environ)}
	file := l.readFile(o)
	for _, in := range []*layer{&env, &file} {
		l.refuseUnknown(in, known)
	}
	for _, f := range fields() {
		text := f.def
		for _, in := range []*layer{&env, &file} { // the first that has it
			value, from, err := in.find(f)
			if from.name == "" {
				continue
			}
			l.origins[f.name] = from
			if err != nil {
				l.refuse(f.name, err.Error())
			}
			text = value
			break
		}
		if text == "" || l.bad[f.name] {
			continue
		}
		if err := f.set(l.Config, text); err != nil {
			l.refuse(f.name, err.Error())
		}
	}
	l.warnOfReadable(&file)
	l.refuseSharedKey()
	l.check(runtime.GOMAXPROCS(0))
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return l.Config, nil
}

// layer is one source of settings.
type layer struct {
	where   string // for messages
	path    string // of the file; empty: the environment
	dir     string // relative paths in NAME_FILE start here
	entries map[string]entry
}

func (in *layer) origin(e entry) origin {
	if e.line > 0 {
		return origin{name: e.name, where: fmt.Sprintf("%s line %d", in.where, e.line)}
	}
	return origin{name: e.name, where: in.where}
}

// find returns the value of f and where it is from. No origin means that the
// layer does not have it.
func (in *layer) find(f field) (value string, from origin, err error) {
	direct, byFile := f.names()
	first := func(names []string) (entry, bool) {
		for _, n := range names {
			if e, ok := in.entries[n]; ok && e.value != "" {
				return e, true
			}
		}
		return entry{}, false
	}
	e, ok := first(direct)
	path, isFile := first(byFile)
	switch {
	case ok && isFile:
		return "", in.origin(e), fmt.Errorf("%s is set too: keep one of the two", path.name)
	case ok:
		return e.value, in.origin(e), nil
	case isFile:
		from = in.origin(path)
		value, from.path, err = in.readSecret(path.value)
		return value, from, err
	}
	return "", origin{}, nil
}

// readSecret returns the content of a file, without the line end that editors
// leave, and where it is.
func (in *layer) readSecret(name string) (text, path string, err error) {
	if path = name; !filepath.IsAbs(path) {
		path = filepath.Join(in.dir, path)
	}
	if text, err = readBounded(path); err != nil {
		return "", "", errors.New("names a file that cannot be read: " + reason(err))
	}
	if text = strings.TrimRight(text, "\r\n"); text == "" {
		return "", "", errors.New("names a file that is empty")
	}
	return text, path, nil
}

func environEntries(environ []string) map[string]entry {
	entries := make(map[string]entry, len(environ))
	for _, s := range environ {
		name, value, _ := strings.Cut(s, "=")
		entries[name] = entry{name: name, value: value}
	}
	return entries
}

// readFile reads .env or the file that was asked for.
func (l *loading) readFile(o Options) layer {
	path := o.ConfigFile
	if path == "" {
		path = filepath.Join(o.Dir, ".env")
	} else if !filepath.IsAbs(path) {
		path = filepath.Join(o.Dir, path)
	}
	in := layer{where: filepath.Base(path), path: path, dir: o.Dir, entries: map[string]entry{}}
	text, err := readBounded(path)
	switch {
	case err == nil:
	case o.ConfigFile == "" && errors.Is(err, fs.ErrNotExist):
		return in
	default:
		l.problems = append(l.problems, Problem{Name: path, What: "cannot be read: " + reason(err)})
		return in
	}
	entries, errs := parseFile(text)
	for _, err := range errs {
		l.problems = append(l.problems, Problem{Name: path, What: err.Error()})
	}
	for _, e := range entries {
		if earlier, ok := in.entries[e.name]; ok {
			l.problems = append(l.problems, Problem{Name: path, What: fmt.Sprintf("line %d: %s is on line %d already", e.line, shown(e.name), earlier.line)})
			continue
		}
		in.entries[e.name] = e
	}
	return in
}

// refuseUnknown refuses names nobody knows. The environment is shared with
// other programs: there only KEYSTONE_ is ours to judge.
func (l *loading) refuseUnknown(in *layer, known []string) {
	isKnown := make(map[string]bool, 2*len(known))
	for _, k := range known {
		isKnown[k], isKnown[prefix+k] = true, true
	}
	for _, name := range sortedNames(in.entries) {
		e := in.entries[name]
		if isKnown[name] || e.line == 0 && !strings.HasPrefix(name, prefix) {
			continue
		}
		from := in.origin(e)
		l.problems = append(l.problems, Problem{Name: printable(name), Where: from.where, What: unknown(name, known)})
	}
}

func readBounded(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return "", errors.New("it is a folder")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("it is larger than %d KiB", maxFile>>10)
	}
	return string(b), err
}

// reason is the system's own word for what went wrong, without the path, which
// may be the secret itself if somebody put it into NAME_FILE.
func reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

package config

import "strings"

// Problem is one thing that is wrong with the settings.
type Problem struct {
	Name    string // as it was written, or as it should be
	Where   string // environment, file and line; empty where nothing is set
	What    string // what is wrong; repeats no secret
	Example string // NAME=value that would do; may be empty
}

// String is one line.
func (p Problem) String() string {
	s := p.Name
	if p.Where != "" {
		s += " (" + p.Where + ")"
	}
	if s != "" {
		s += ": "
	}
	s += p.What
	if p.Example != "" {
		s += "; for example " + p.Example
	}
	return s
}

// Problems is the error of Load: everything that is wrong, not only the first
// thing found.
type Problems []Problem

// Error is one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// loading is a Config on its way, with what was found wrong so far.
type loading struct {
	*Config
	byName   map[string]field
	problems Problems
	bad      map[string]bool // settings that cannot be judged any further
}

// refuse notes a problem with a setting.
func (l *loading) refuse(name, what string) {
	f := l.byName[name]
	l.bad[name] = true
	p := Problem{Name: name, What: what}
	if o, ok := l.origins[name]; ok {
		p.Name, p.Where = o.name, o.where
	}
	if f.example != "" && !(f.secret && strings.HasSuffix(p.Name, "_FILE")) { // beside a file it would be a second value, and of a key a new one
		p.Example = name + "=" + f.example
	}
	l.problems = append(l.problems, p)
}

// warn notes what is allowed but should be known.
func (l *loading) warn(text string) { l.Warnings = append(l.Warnings, text) }

// given reports whether somebody set the setting, and to something readable.
func (l *loading) given(name string) bool {
	_, ok := l.origins[name]
	return ok && !l.bad[name]
}

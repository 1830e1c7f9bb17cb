package web

import (
	"maps"
	"slices"
)

// Form is a form on a page. Labels, hints and problems are keys of texts, or
// refusals.
type Form struct {
	Action   string            // relative to the page
	Hidden   map[string]string // values that come back as they are
	Problems []string          // what was wrong with what was sent; empty: nothing
	Wait     Text              // how long to wait; empty: not at all
	Fields   []Field
	Submit   string // on the button
	// SubmitID is the button's id where it is not "submit", for browser automation.
	SubmitID string
}

// Field is one line of a form. Its id is its name, for browser automation.
type Field struct {
	Name         string
	Label        string
	Type         string // text, email, password
	Value        string // kept input; never shown for a password
	Autocomplete string // WCAG 2.2 section 1.3.5
	MaxLength    int
	Hints        []string
	Problem      string // why the value was refused
	Focus        bool   // where people start
}

// DescribedBy names the texts that belong to the field, for screen readers.
func (f Field) DescribedBy() string {
	switch {
	case f.Problem != "" && len(f.Hints) > 0:
		return f.Name + "-problem " + f.Name + "-hint"
	case f.Problem != "":
		return f.Name + "-problem"
	case len(f.Hints) > 0:
		return f.Name + "-hint"
	}
	return ""
}

// Fill puts the problems to the fields and the focus on the first field that
// has one, else on the first field. A problem of no field stands with problem.
func (f *Form) Fill(problem string, fields map[string]string) {
	if problem != "" {
		f.Problems = append(f.Problems, problem)
	}
	focus := -1
	known := map[string]bool{}
	for i := range f.Fields {
		field := &f.Fields[i]
		known[field.Name] = true
		if field.Problem = fields[field.Name]; field.Problem != "" && focus < 0 {
			focus = i
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !known[name] {
			f.Problems = append(f.Problems, fields[name])
		}
	}
	if len(f.Fields) > 0 {
		f.Fields[max(focus, 0)].Focus = true
	}
}

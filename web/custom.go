package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/keystone-auth/keystone"
)

// maxCustom bounds one file of TEMPLATE_DIR.
const maxCustom = 256 << 10

// readCustom returns the files of an operator's folder: pages that take the place
// of ours, and languages, in whole or in part. Hidden names are passed over, as
// Kubernetes has them in the folder of a ConfigMap; links may not leave it.
func (p *Pages) readCustom(dir string) (map[string][]byte, error) {
	if dir == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("TEMPLATE_DIR: %w", err)
	}
	defer func() { _ = root.Close() }()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("TEMPLATE_DIR: %w", err)
	}
	known, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	for i, name := range known {
		known[i] = path.Base(name)
	}
	custom := map[string][]byte{}
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."):
			continue
		case path.Ext(name) != ".json" && !slices.Contains(known, name):
			return nil, fmt.Errorf("TEMPLATE_DIR: %q is no page: did you mean %s? A language is a file such as fr.json", name, nearest(name, known))
		}
		if custom[name], err = readBounded(root.FS(), name, maxCustom); err == nil && path.Ext(name) == ".html" {
			err = sendsAll(name, custom[name])
		}
		if err != nil {
			return nil, fmt.Errorf("TEMPLATE_DIR: %w", err)
		}
	}
	return custom, nil
}

// hidden is a field of a form that says what a page has shown.
var hidden = regexp.MustCompile(`<input type="hidden" name="[a-z]+" value="\{\{[^}]+\}\}">`)

// sendsAll reports what an operator's page does not send and ours does: an answer
// without it counts for nothing, and the page would come again and again.
func sendsAll(name string, body []byte) error {
	ours, err := files.ReadFile("templates/" + name)
	if err != nil {
		return err
	}
	for _, field := range hidden.FindAll(ours, -1) {
		said, _, _ := bytes.Cut(field, []byte(" value="))
		_, said, _ = bytes.Cut(said, []byte("name="))
		if !bytes.Contains(body, said) {
			return fmt.Errorf("%s does not send the field %s: its form needs %s", name, said, field)
		}
	}
	return nil
}

// readBounded reads a whole file of at most most bytes.
func readBounded(from fs.FS, name string, most int64) ([]byte, error) {
	f, err := from.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is not a file", name)
	}
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(body)) > most {
		err = fmt.Errorf("%q is larger than %d KiB", name, most>>10)
	}
	return body, err
}

// checkTemplates finds what html/template finds only when a page is shown: places
// where a value cannot be made safe, and parts that are missing. That values are
// missing here is no fault.
func (p *Pages) checkTemplates() error {
	for _, name := range slices.Sorted(maps.Keys(p.templates)) {
		err := p.templates[name].Execute(io.Discard, Page{Lang: English, language: p.languages[0], pages: p})
		var unsafe *template.Error
		if errors.As(err, &unsafe) {
			return fmt.Errorf("TEMPLATE_DIR: page %s: %w", name, unsafe)
		}
	}
	return nil
}

// addTexts puts an operator's texts over those there are.
func (p *Pages) addTexts(file string, body []byte) error {
	add, err := parseLanguage(file, body)
	if err != nil {
		return fmt.Errorf("TEMPLATE_DIR: %w", err)
	}
	english := p.languages[slices.IndexFunc(p.languages, func(l *language) bool { return l.tag == English })]
	for key, text := range add.texts {
		if err := checkText(english.texts, key, text); err != nil {
			return fmt.Errorf("TEMPLATE_DIR: %s: %w", file, err)
		}
	}
	i := slices.IndexFunc(p.languages, func(l *language) bool { return l.tag == add.tag })
	if i >= 0 {
		maps.Copy(p.languages[i].texts, add.texts)
		return nil
	}
	missing := 0
	for key := range english.texts {
		if add.texts[key] == "" {
			missing++
		}
	}
	if missing > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("TEMPLATE_DIR: %s lacks %d of the %d texts of the pages: they are shown in English.", file, missing, len(english.texts)))
	}
	p.languages = append(p.languages, add)
	return nil
}

// checkText holds that a text has a known key and the values of the English one.
// A text without a key is a refusal, known by its English text.
func checkText(english map[string]string, key, text string) error {
	ours, ok := english[key]
	switch {
	case text == "":
		return fmt.Errorf("%q is empty", key)
	case key == "page.direction" && text != "ltr" && text != "rtl":
		return errors.New("page.direction is ltr or rtl")
	case !ok && !strings.Contains(key, " "):
		return fmt.Errorf("%q is the key of no text: did you mean %s?", key, nearest(key, slices.Collect(maps.Keys(english))))
	case !ok && strings.Count(key, "#") != strings.Count(text, "#"):
		return fmt.Errorf("the text for %q has other numbers (#) in it", key)
	case ok && !slices.Equal(valuesIn(ours), valuesIn(text)):
		return fmt.Errorf("%s has the values %q, not %q", key, valuesIn(ours), valuesIn(text))
	}
	return nil
}

// valuesIn returns the {names} in a text, sorted.
func valuesIn(text string) (names []string) {
	for {
		_, rest, found := strings.Cut(text, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			slices.Sort(names)
			return names
		}
		names, text = append(names, name), after
	}
}

// nearest returns the known name that the fewest edits make of name.
func nearest(name string, known []string) (best string) {
	slices.Sort(known)
	least := -1
	for _, k := range known {
		if d := keystone.Edits(name, k); least < 0 || d < least {
			best, least = k, d
		}
	}
	return best
}

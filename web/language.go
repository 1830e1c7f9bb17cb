package web

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	tags "golang.org/x/text/language"
)

// language is one that pages can be in.
type language struct {
	tag     string            // RFC 5646
	texts   map[string]string // by key; refusals by their English text
	english map[string]string // what is shown where a text is missing
}

// English is the language that has every text.
const English = "en"

// readLanguages reads text/*.json, a file a language, named by its tag, and then
// the operator's. The language that pages are in where nobody asks for another
// comes first.
func (p *Pages) readLanguages(first string, custom map[string][]byte) error {
	names, err := fs.Glob(files, "text/*.json")
	if err != nil {
		return fmt.Errorf("web: texts: %w", err)
	}
	for _, name := range names {
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("web: texts: %w", err)
		}
		l, err := parseLanguage(path.Base(name), body)
		if err != nil {
			return fmt.Errorf("web: %w", err)
		}
		p.languages = append(p.languages, l)
	}
	for _, name := range slices.Sorted(maps.Keys(custom)) {
		if path.Ext(name) != ".json" {
			continue
		}
		if err := p.addTexts(name, custom[name]); err != nil {
			return err
		}
	}
	english := p.languages[slices.IndexFunc(p.languages, func(l *language) bool { return l.tag == English })]
	for _, l := range p.languages {
		l.english = english.texts
	}
	i := slices.IndexFunc(p.languages, func(l *language) bool { return l.tag == first })
	if i < 0 {
		return fmt.Errorf("DEFAULT_LANGUAGE: there is no language %q; there are %s", first, strings.Join(p.Languages(), ", "))
	}
	p.languages = slices.Insert(slices.Delete(slices.Clone(p.languages), i, i+1), 0, p.languages[i])
	var known []tags.Tag
	for _, tag := range p.Languages() {
		known = append(known, tags.Make(tag))
	}
	p.matcher = tags.NewMatcher(known)
	return nil
}

func parseLanguage(file string, body []byte) (*language, error) {
	l := &language{tag: strings.TrimSuffix(file, ".json")}
	if tag, err := tags.Parse(l.tag); err != nil || tag.String() != l.tag {
		return nil, fmt.Errorf("%q is not named by a language tag (RFC 5646), such as fr.json or pt-BR.json", file)
	}
	if err := json.Unmarshal(body, &l.texts); err != nil {
		return nil, fmt.Errorf("%s is not a JSON object of texts: %w", file, err)
	}
	return l, nil
}

// Languages are the tags of the languages there are, the default first.
func (p *Pages) Languages() []string {
	list := make([]string, len(p.languages))
	for i, l := range p.languages {
		list[i] = l.tag
	}
	return list
}

// Language returns the tag of the language that a page will be in.
func (p *Pages) Language(r *http.Request, locales string) string { return p.choose(r, locales).tag }

// maxWishes bounds what is read of a wish for languages: browsers send less.
const maxWishes = 300

// choose returns the language for a request: what the application asks for
// (ui_locales, OpenID Connect Core section 3.1.2.1), else what the browser prefers
// (RFC 9110 section 12.5.4), else the default.
func (p *Pages) choose(r *http.Request, locales string) *language {
	if locales == "" && strings.Contains(r.URL.RawQuery, "ui_locales") {
		locales = r.URL.Query().Get("ui_locales")
	}
	var asked []tags.Tag
	for _, name := range strings.Fields(bounded(locales, " ")) {
		if tag, err := tags.Parse(name); err == nil {
			asked = append(asked, tag)
		}
	}
	if l := p.match(asked); l != nil {
		return l
	}
	preferred, _, err := tags.ParseAcceptLanguage(bounded(r.Header.Get("Accept-Language"), ","))
	if err == nil {
		if l := p.match(preferred); l != nil {
			return l
		}
	}
	return p.languages[0]
}

// match returns the language that fits best; nil: none does.
func (p *Pages) match(wanted []tags.Tag) *language {
	if len(wanted) == 0 {
		return nil
	}
	_, i, sure := p.matcher.Match(wanted...)
	if sure == tags.No {
		return nil
	}
	return p.languages[i]
}

// bounded cuts a list that is too long behind its last whole part.
func bounded(list, separator string) string {
	if len(list) <= maxWishes {
		return list
	}
	return list[:max(0, strings.LastIndex(list[:maxWishes], separator))]
}

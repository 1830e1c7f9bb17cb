package web

import (
	"cmp"
	"fmt"
	"html/template"
	"net/url"
	"strings"
)

// Text is a text with values in it: its key, then names and values.
type Text []any

// Say returns the text of a key in which each {name} is the value that follows
// the name.
func Say(key string, pairs ...any) Text { return append(Text{key}, pairs...) }

// T returns a text in the page's language: of a key, or of a [Text]. Each {name}
// in it is the value that follows the name in pairs. Text and values are escaped,
// except values that are HTML already (strong).
func (p Page) T(what any, pairs ...any) (template.HTML, error) {
	if t, ok := what.(Text); ok && len(t) > 0 {
		what, pairs = t[0], t[1:]
	}
	key, ok := what.(string)
	if !ok || len(pairs)%2 != 0 {
		return "", fmt.Errorf("web: no text, or a name without a value: %T, %d", what, len(pairs))
	}
	var values []string
	for i := 0; i < len(pairs); i += 2 {
		value, ok := pairs[i+1].(template.HTML)
		if !ok {
			value = escape(pairs[i+1])
		}
		values = append(values, fmt.Sprintf("{%v}", pairs[i]), string(value))
	}
	text := string(escape(p.language.say(key)))
	return template.HTML(strings.NewReplacer(values...).Replace(text)), nil //nolint:gosec // escaped above, each part by itself
}

// registered is an address of an application as a link, also of a program on the
// person's device, whose scheme has a dot in it (RFC 8252 section 7.1). Any other
// scheme than that and http is not followed.
func registered(uri string) template.URL {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" && !strings.Contains(u.Scheme, ".") {
		return "#"
	}
	return template.URL(uri) //nolint:gosec // checked above
}

// link is a link to a page of ours that opens beside this one: what was begun here is
// not lost by it.
func link(to string, text any, id string) template.HTML {
	shown, ok := text.(template.HTML)
	if !ok {
		shown = escape(text)
	}
	return `<a id="` + escape(id) + `" href="` + escape(to) + `" target="_blank" rel="noopener">` + shown + `</a>`
}

// strong puts a value into its own element, with an id for browser automation
// where one is given.
func strong(value any, id ...string) template.HTML {
	attribute := ""
	for _, one := range id {
		attribute = ` id="` + string(escape(one)) + `"`
	}
	return "<strong" + template.HTML(attribute) + ">" + escape(value) + "</strong>" //nolint:gosec // escaped
}

func escape(value any) template.HTML {
	return template.HTML(template.HTMLEscapeString(fmt.Sprint(value))) //nolint:gosec // this is what escapes
}

// maxKey is longer than all that is wrong with a form.
const maxKey = 2000

// say returns a text. Refusals have no keys: they are their own, so that what
// programs read is what people read in English. A refusal may be several
// sentences, joined from several rules.
func (l *language) say(key string) string {
	if text, ok := l.find(key); ok || len(key) > maxKey {
		return cmp.Or(text, key)
	}
	var said []string
	for rest := key; rest != ""; {
		end := len(rest)
		var text string
		for ; ; end = strings.LastIndex(rest[:end-1], ". ") + 1 {
			if end == 0 { // not known: one sentence as it is
				if end = strings.Index(rest, ". ") + 1; end == 0 {
					end = len(rest)
				}
				text = rest[:end]
				break
			}
			var ok bool
			if text, ok = l.find(rest[:end]); ok {
				break
			}
		}
		said = append(said, text)
		rest = strings.TrimPrefix(rest[end:], " ")
	}
	return strings.Join(said, " ")
}

// find looks a key up, as it is, then with # for each number in it.
func (l *language) find(key string) (string, bool) {
	text, ok := l.texts[key]
	if !ok {
		text, ok = l.english[key]
	}
	if ok {
		return text, ok
	}
	pattern, numbers := numbered(key)
	if text, ok = l.texts[pattern]; !ok || len(numbers) == 0 {
		return "", false
	}
	for _, n := range numbers {
		text = strings.Replace(text, "#", n, 1)
	}
	return text, true
}

// numbered returns s with # in place of each number, and the numbers.
func numbered(s string) (string, []string) {
	var pattern strings.Builder
	var numbers []string
	for s != "" {
		start := strings.IndexAny(s, "0123456789")
		if start < 0 {
			break
		}
		digits := len(s[start:]) - len(strings.TrimLeft(s[start:], "0123456789"))
		pattern.WriteString(s[:start] + "#")
		numbers = append(numbers, s[start:start+digits])
		s = s[start+digits:]
	}
	pattern.WriteString(s)
	return pattern.String(), numbers
}

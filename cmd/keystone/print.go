package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

// column is one fact about a thing, for people.
type column[V any] struct {
	name string
	cell func(V) string
	wide bool // only where one thing is shown, not in lists
}

// collection is a page of a list, for scripts; the API has the same shape.
type collection[V any] struct {
	Items      []V     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// printList prints a page as a table or as one JSON document.
func printList[S, V any](a *app, list keystone.List[S], view func(S) V, columns []column[V]) error {
	items := make([]V, len(list.Items))
	for i, item := range list.Items {
		items[i] = view(item)
	}
	var next *string
	if list.Next != "" {
		cursor := base64.RawURLEncoding.EncodeToString([]byte(list.Next))
		next = &cursor
	}
	if a.json {
		return a.document(collection[V]{Items: items, NextCursor: next})
	}
	columns = slices.DeleteFunc(slices.Clone(columns), func(c column[V]) bool { return c.wide })
	w := a.table()
	for i, c := range columns {
		w.cell(i, strings.ToUpper(c.name))
	}
	w.end()
	for _, item := range items {
		for i, c := range columns {
			w.cell(i, c.cell(item))
		}
		w.end()
	}
	if err := w.flush(); err != nil {
		return err
	}
	if next != nil {
		_, _ = fmt.Fprintf(a.err, "There is more: repeat with --cursor %s\n", *next)
	}
	return nil
}

// printOne prints one thing, a fact a line, or as one JSON document.
func printOne[V any](a *app, v V, columns []column[V]) error {
	if a.json {
		return a.document(v)
	}
	w := a.table()
	for _, c := range columns {
		w.cell(0, c.name+":")
		w.cell(1, c.cell(v))
		w.end()
	}
	return w.flush()
}

// done says what was done, to people; scripts get an answer to parse too.
func (a *app) done(format string, args ...any) error {
	if a.json {
		return a.document(struct{}{})
	}
	return a.say(format, args...)
}

// say prints a line for people.
func (a *app) say(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format+"\n", args...)
	return err
}

// document prints the one JSON document.
func (a *app) document(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table aligns columns.
type table struct{ w *tabwriter.Writer }

func (a *app) table() table { return table{tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)} }

func (t table) cell(i int, text string) {
	if i > 0 {
		_, _ = fmt.Fprint(t.w, "\t")
	}
	_, _ = fmt.Fprint(t.w, printable(text)) // an error comes again in flush
}
func (t table) end()         { _, _ = fmt.Fprintln(t.w) }
func (t table) flush() error { return t.w.Flush() }

// printable is a text as it may go to a terminal: names are other people's, and
// a terminal obeys control characters. Nothing at all is shown as a dash.
func printable(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// stamp is a time for people, nothing where there is none.
func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// moment is a time for scripts: null where there is none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// names is a list that is [] and never null in JSON.
func names(list []string) []string { return append([]string{}, list...) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// paging is the flags of a list.
type paging struct {
	limit  int
	cursor string
}

func (p *paging) add(c *cobra.Command) {
	c.Flags().IntVar(&p.limit, "limit", keystone.DefaultPage, "how many to list, 1 to 200")
	c.Flags().StringVar(&p.cursor, "cursor", "", "the next_cursor of the page before")
}

func (p *paging) page() (keystone.Page, error) {
	if p.limit < 1 || p.limit > keystone.MaxPage {
		return keystone.Page{}, usageError{"--limit is 1 to 200"}
	}
	after, err := base64.RawURLEncoding.Strict().DecodeString(p.cursor)
	if err != nil {
		return keystone.Page{}, usageError{"--cursor is not the next_cursor of a list"}
	}
	return keystone.Page{Limit: p.limit, After: string(after)}, nil
}

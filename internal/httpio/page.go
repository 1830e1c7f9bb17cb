package httpio

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/keystone-auth/keystone"
)

// Collection is one page of a list in an answer.
type Collection[T any] struct {
	Items      []T     `json:"items" doc:"The items of this page."`
	NextCursor *string `json:"next_cursor" nullable:"true" doc:"Give this as cursor to read the next page. null on the last one."`
}

// Collect turns a page of the store into an answer, each item through view.
func Collect[S, T any](list keystone.List[S], view func(S) T) Collection[T] {
	c := Collection[T]{Items: make([]T, len(list.Items))}
	for i, item := range list.Items {
		c.Items[i] = view(item)
	}
	if list.Next != "" {
		next := base64.RawURLEncoding.EncodeToString([]byte(list.Next))
		c.NextCursor = &next
	}
	return c
}

// PageOf is the page that p asks for of a list that is short enough to be read whole,
// and is answered whole where no limit is given. key tells the items apart.
func PageOf[T any](items []T, p keystone.Page, key func(T) string) keystone.List[T] {
	if p.After != "" {
		i := slices.IndexFunc(items, func(v T) bool { return key(v) == p.After })
		items = items[i+1:] // where the last one of the page before is gone, from the beginning
	}
	if p.Limit == 0 || len(items) <= p.Limit {
		return keystone.List[T]{Items: items}
	}
	return keystone.List[T]{Items: items[:p.Limit], Next: key(items[p.Limit-1])}
}

const maxCursor = 1024

// PageQuery holds the query parameters of a list. Embed it in the request
// struct of a list and call its Page method.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" doc:"How many items to answer. Where it is not given 50, and all of a list that is always short: keys, settings, secrets of a client."`
	Cursor string `query:"cursor" doc:"The next_cursor of the page before."`
}

// Page returns the page that the parameters ask for.
func (q PageQuery) Page() (keystone.Page, error) { return Page(q.Limit, q.Cursor) }

// Page checks the parameters limit and cursor of a list. 0 is no limit given.
func Page(limit int, cursor string) (keystone.Page, error) {
	if limit < 0 || limit > keystone.MaxPage {
		return keystone.Page{}, keystone.FailField("limit", "Ask for 1 to "+strconv.Itoa(keystone.MaxPage)+" items.")
	}
	p := keystone.Page{Limit: limit}
	if cursor == "" {
		return p, nil
	}
	after, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(cursor) > maxCursor || len(after) == 0 || !utf8.Valid(after) || strings.IndexByte(string(after), 0) >= 0 || strings.ContainsAny(cursor, "\r\n") {
		return keystone.Page{}, keystone.FailField("cursor", "This is not a cursor. Give the next_cursor of the page before as it is.")
	}
	p.After = string(after)
	return p, nil
}

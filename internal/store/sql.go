package store

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/keystone-auth/keystone"
	"unicode/utf8"
)

// Where a key finds a row, a condition on its end is written expires_at + 0 > $1:
// the index over ends is for the sweeper. A plan that PostgreSQL made while the
// table was empty could as well go by that index, through every row that has not
// ended, and it is kept while the table grows.

// forShare ends a subquery whose row must stay as it was read until the
// transaction has ended: whoever changes it waits, or is seen. PostgreSQL alone
// needs it.
const forShare = " FOR SHARE"

// storable makes every text in args one that both databases take: a NUL or what
// is not UTF-8 becomes U+FFFD. No name or id has that in it, so a lookup by such
// a text finds nothing, and what a browser says about itself is kept as well as
// can be. The engines call it; nothing reaches a database around it.
func storable(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok && (!utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0) {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return args
}

// placeholders returns "$from, $from+1, …" for n values.
func placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(from+i))
	}
	return b.String()
}

// idOr is the condition under which $1 names a row: by its id where it has the
// form of one, else by the column. Names never have that form (see
// keystone.Role.Validate), so no name can stand in for an id.
func idOr(column, value string) string {
	if keystone.IsID(value) {
		return "id = $1"
	}
	return column + " = $1"
}

// encodeList and decodeList are the stored form of a list of strings.
func encodeList(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(list) // strings always encode
	return string(b)
}

func decodeList(text string) (list []string, err error) {
	if text == "[]" {
		return nil, nil
	}
	err = json.Unmarshal([]byte(text), &list)
	return list, err
}

// words and unwords are the stored form of names without spaces in them.
func words(list []string) string { return strings.Join(list, " ") }

func unwords(text string) []string { return strings.Fields(text) }

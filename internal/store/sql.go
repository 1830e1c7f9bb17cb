package store

import (
	"encoding/json"
	"strconv"
	"strings"
)

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

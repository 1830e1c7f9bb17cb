// Command gen writes common.bin, the list of common passwords, from the word
// lists named as arguments. ../COMMON.md says which ones and where they are
// from. It reads one word a line (also compressed: .gz), a JSON list (.json),
// and zxcvbn's frequency_lists.js (.js).
//
//	go run ./gen -out common.bin LIST…
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	prefixSize = 6       // as in common.go
	shortest   = 8       // no policy lets a shorter password through anyway
	long       = 12      // the default policy's minimum: of these, every word of a list counts
	head       = 100_000 // of shorter words, those in the first so many lines
)

func main() {
	out := flag.String("out", "common.bin", "file to write")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		panic(err)
	}
}

func run(out string, lists []string) error {
	if len(lists) == 0 {
		return errors.New("name the word lists: see COMMON.md")
	}
	prefixes := map[string]bool{}
	for _, list := range lists {
		words, err := read(list)
		if err != nil {
			return fmt.Errorf("%s: %w", list, err)
		}
		for i, word := range words {
			word = strings.ToLower(norm.NFC.String(strings.TrimSpace(word)))
			n := utf8.RuneCountInString(word)
			if n < shortest || n < long && i >= head || !utf8.ValidString(word) {
				continue
			}
			sum := sha256.Sum256([]byte(word))
			prefixes[string(sum[:prefixSize])] = true
		}
		fmt.Printf("%s: %d words read, %d kept so far\n", filepath.Base(list), len(words), len(prefixes))
	}
	sorted := make([]string, 0, len(prefixes))
	for p := range prefixes {
		sorted = append(sorted, p)
	}
	slices.Sort(sorted)
	return os.WriteFile(out, []byte(strings.Join(sorted, "")), 0o644) //nolint:gosec // a source file, for everybody to read
}

func read(list string) (words []string, err error) {
	b, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	switch filepath.Ext(list) {
	case ".gz":
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		if b, err = io.ReadAll(z); err != nil {
			return nil, err
		}
	case ".json":
		err = json.Unmarshal(b, &words)
		return words, err
	case ".js":
		_, after, ok := strings.Cut(string(b), `passwords: "`)
		before, _, ok2 := strings.Cut(after, `"`)
		if !ok || !ok2 {
			return nil, errors.New(`has no passwords: "…"`)
		}
		return strings.Split(before, ","), nil
	}
	return strings.Split(string(b), "\n"), nil
}

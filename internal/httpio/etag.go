package httpio

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
)

// ETag returns the entity tag of a version (RFC 9110 section 8.8.3) and of what an answer
// shows beside what is counted in it: when somebody last came, and names that change
// elsewhere. Whoever has the tag has the answer.
func ETag(version int64, last time.Time, names []string) string {
	const prime = 1099511628211 // FNV-1a, the same on every node
	sum := (14695981039346656037 ^ uint64(last.UnixMicro())) * prime
	for _, name := range names {
		for i := range len(name) {
			sum = (sum ^ uint64(name[i])) * prime
		}
		sum = (sum ^ 0xff) * prime // no text has this byte
	}
	b := append(make([]byte, 0, maxETag), '"')
	b = append(strconv.AppendInt(b, version, 10), '-')
	return string(append(strconv.AppendUint(b, sum, 36), '"'))
}

const maxETag = 40

// Version reads an If-Match header (RFC 9110 section 13.1.1), which may list several tags:
// the newest counts. Without one, and for *, it is 0: any version will do. A tag that is
// not ours matches nothing. Of ours the version counts: that somebody signed in meanwhile
// is no change to lose.
func Version(ifMatch string) (newest int64, err error) {
	ifMatch = strings.Trim(ifMatch, " \t")
	if ifMatch == "" || ifMatch == "*" {
		return 0, nil
	}
	for tag := range strings.SplitSeq(ifMatch, ",") { // ours have no comma
		newest = max(newest, versionOf(strings.Trim(tag, " \t")))
	}
	if newest == 0 {
		return 0, keystone.Fail(keystone.Stale, "If-Match does not name a version of this. Send the ETag of the answer you read it from.")
	}
	return newest, nil
}

// versionOf reads one tag of ours; 0: it is none.
func versionOf(tag string) int64 {
	n := len(tag)
	if n <= 2 || n > maxETag || tag[0] != '"' || tag[n-1] != '"' {
		return 0
	}
	number, beside, two := strings.Cut(tag[1:n-1], "-")
	_, err := strconv.ParseUint(beside, 36, 64)
	v, errNumber := strconv.ParseInt(number, 10, 64)
	if errNumber != nil || v < 0 || strconv.FormatInt(v, 10) != number || two && err != nil {
		return 0
	}
	return v
}

// Unchanged answers a GET or HEAD with 304 where the caller has what it would be answered
// with, whose ETag is set (RFC 9110 sections 13.1.2 and 15.4.5), and reports whether it did.
// It comes last: whoever may not read learns nothing of what there is (section 13.2.1).
func Unchanged(w http.ResponseWriter, r *http.Request) bool {
	has := r.Header["If-None-Match"]
	if has == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	h := w.Header()
	if tag := h["Etag"]; len(tag) != 1 || !listsTag(strings.Join(has, ","), tag[0]) {
		return false
	}
	if _, ok := h["Cache-Control"]; !ok {
		h["Cache-Control"] = noStore
	}
	delete(h, "Content-Type")
	w.WriteHeader(http.StatusNotModified)
	return true
}

// WriteTagged is WriteRaw for a body whose ETag is set: 304 where the caller has it.
func WriteTagged(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	if !Unchanged(w, r) {
		WriteRaw(w, http.StatusOK, contentType, body)
	}
}

// listsTag reports whether a list of entity tags has this one, by weak comparison
// (RFC 9110 section 8.8.3.2): proxies that compress make strong tags weak. What is not
// well formed ends the list.
func listsTag(list, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	if list = strings.Trim(list, " \t"); list == "*" {
		return true
	}
	for list != "" {
		list = strings.TrimPrefix(strings.TrimLeft(list, " \t,"), "W/")
		if list == "" || list[0] != '"' {
			return false
		}
		end := strings.IndexByte(list[1:], '"') + 2
		if end < 2 {
			return false
		}
		if list[:end] == tag {
			return true
		}
		list = list[end:]
	}
	return false
}

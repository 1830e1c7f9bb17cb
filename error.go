package keystone

import (
	"errors"
	"maps"
	"time"
)

// Kind says what sort of refusal an Error is. The zero Kind is an unknown
// fault: it is answered with 500 and a request id, and its text is never shown.
type Kind uint8

// The kinds. httpio turns them into a status and a code, oauth into the codes
// of RFC 6749.
const (
	Unknown         Kind = iota
	Invalid              // the request cannot be right as it is: 400
	Unauthenticated      // nobody, or not who they say: 401
	Forbidden            // known, but not allowed: 403
	NotFound             // no such thing, or not theirs to see: 404
	Conflict             // exists already, or the state forbids it: 409
	Stale                // changed since it was read (If-Match): 412
	Limited              // too many: 429
	Unavailable          // try again later; Msg says whether something may have been changed: 503
)

// Error is a refusal that a caller may be told about. Msg is a fixed text that
// says what to do; it never repeats input, SQL or secrets. What only the log
// may know goes into Err.
type Error struct {
	Kind       Kind
	Code       string            // protocol code where the kind's own does not fit, e.g. "invalid_scope"
	Msg        string            // shown as error_description
	Fields     map[string]string // field name -> why it was refused
	RetryAfter time.Duration     // for Limited and Unavailable
	Err        error             // cause, for the log only
}

// Fail returns an Error of the given kind. msg says what to do.
func Fail(kind Kind, msg string) *Error { return &Error{Kind: kind, Msg: msg} }

// FailField returns an Invalid error about one named field.
func FailField(field, why string) *Error { return FailFields(map[string]string{field: why}) }

// FailFields returns an Invalid error about several.
func FailFields(whys map[string]string) *Error {
	return &Error{Kind: Invalid, Msg: "Correct the named fields and send the request again.", Fields: whys}
}

// Error implements error. It is for logs: it includes the cause.
func (e *Error) Error() string {
	s := e.Msg
	for _, k := range sortedKeys(e.Fields) {
		s += "; " + k + ": " + e.Fields[k]
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// WithCode returns a copy that carries a protocol code of its own.
func (e *Error) WithCode(code string) *Error { c := *e; c.Code = code; return &c }

// Because returns a copy that carries err as its cause, for the log.
func (e *Error) Because(err error) *Error { c := *e; c.Err = err; return &c }

// After returns a copy that tells the caller how long to wait.
func (e *Error) After(d time.Duration) *Error { c := *e; c.RetryAfter = d; return &c }

// WithFields returns a copy with the fields of both.
func (e *Error) WithFields(f map[string]string) *Error {
	c := *e
	c.Fields = maps.Clone(e.Fields)
	if c.Fields == nil {
		c.Fields = map[string]string{}
	}
	maps.Copy(c.Fields, f)
	return &c
}

// KindOf returns the kind of the first Error in err's chain, else Unknown.
func KindOf(err error) Kind {
	if err == nil {
		return Unknown
	}
	var e *Error // on the heap, for errors.As
	if errors.As(err, &e) {
		return e.Kind
	}
	return Unknown
}

// fields collects why fields were refused, so that one answer names them all.
type fields map[string]string

func (f fields) check(name string, err error) {
	var e *Error
	if err == nil {
		return
	}
	if errors.As(err, &e) && len(e.Fields) > 0 {
		maps.Copy(f, e.Fields)
		return
	}
	f[name] = err.Error()
}

func (f fields) err() error {
	if len(f) == 0 {
		return nil
	}
	return FailFields(f)
}

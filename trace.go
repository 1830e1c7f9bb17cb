package keystone

import (
	"context"
	"time"
)

// Trace says why one request was refused, for whoever has to find out: the
// checks that it came to, in order, and what would mend it. It holds no secret.
type Trace struct {
	ID        string
	RequestID string
	At        time.Time
	Route     string // "METHOD /pattern"
	Source    string // address that it came from
	ClientID  string // as far as it was known
	ActorID   string
	Status    int               // of the answer; 303 where the refusal went to the client by redirect
	Code      string            // of the refusal, as in RFC 6749 section 5.2
	Fix       string            // what would mend it: the text of the refusal
	Checks    []string          // that it came to; the last one refused
	Facts     map[string]string // what that check compared, cut short
}

// Checks collects what a request has been held against. A check names itself
// before it decides, so that the last name is the one that refused. The zero
// value is ready; it belongs to one request.
type Checks struct {
	names []string
	few   [8]string // what names is in, until there are more
	rest  bool      // the last is what is left, and gives way
	facts map[string]string
}

// ChecksKey is the context key of a request's *Checks.
type ChecksKey struct{}

const (
	maxChecks = 32
	maxFacts  = 12
	maxFact   = 300
)

// Checking notes that the request has come to a check. Names are constants: they
// are shown as they are.
func Checking(ctx context.Context, name string) {
	c, ok := ctx.Value(ChecksKey{}).(*Checks)
	if !ok {
		return
	}
	if c.rest {
		c.names, c.rest = c.names[:len(c.names)-1], false
	}
	if c.names == nil {
		c.names = c.few[:0]
	}
	if len(c.names) < maxChecks {
		c.names = append(c.names, name)
	}
}

// CheckingRest notes what is checked where no check names itself any more; the next
// that does takes its place.
func CheckingRest(ctx context.Context, name string) {
	Checking(ctx, name)
	if c, ok := ctx.Value(ChecksKey{}).(*Checks); ok && len(c.names) < maxChecks {
		c.rest = true
	}
}

// Fact notes what the present check compares, where it is about to refuse.
// Never give it a secret, a code or a token.
func Fact(ctx context.Context, name, value string) {
	c, ok := ctx.Value(ChecksKey{}).(*Checks)
	if !ok || len(c.facts) >= maxFacts {
		return
	}
	if c.facts == nil {
		c.facts = map[string]string{}
	}
	if len(value) > maxFact {
		value = value[:maxFact] + "…"
	}
	c.facts[name] = value
}

// Came returns the checks that the request came to, in order, and what they
// compared.
func (c *Checks) Came() ([]string, map[string]string) { return c.names, c.facts }

// ErrNoTrace answers whoever asks why a request was refused of which nothing is kept.
var ErrNoTrace = Fail(NotFound, "No refused request with this id was recorded in the last day. Requests to unknown addresses (404, 405) and for traces that are not there are not recorded, nor is all of a flood (at most 20 a second from one address); the access log has everything.")

package httpio

import (
	"context"
	"crypto/x509"
	"net/http"

	"github.com/keystone-auth/keystone"
)

// Exchange is what one request knows of itself. The server makes it, handlers
// read the actor from it, WriteError leaves in it what only the log may know.
// It belongs to one request and is not safe for use after its end.
type Exchange struct {
	Actor     keystone.Actor // with RequestID and Source, also for nobody
	Route     string         // "METHOD /pattern", never the raw path
	TokenSent bool           // an Authorization header came with the request
	Err       error          // the refusal that was answered, for the log
	Demanded  string         // the scope for want of which a handler refuses; empty: not for one
	ClientID  string         // set by handlers once the client is known, for the log
	UserID    string         // whom a request that nobody made has shown or made, for the log alone: it may do no more for that
	Header    http.Header    // of the answer, for limits that are asked inside of a handler; may be nil
	Problem   Problem        // shows an error to a person, on routes that people see; nil elsewhere

	Certificates func() []*x509.Certificate // the TLS client certificate, then what came along to verify it; nil: none was shown

	Challenges *Challenges // of the server that answers; nil: those that name no metadata

	Checks keystone.Checks // what the request was held against, see keystone.Checking
}

// Problem answers with a page that says what went wrong. What is allowed to be
// said of err is decided already.
type Problem func(w http.ResponseWriter, r *http.Request, status int, requestID string, err error) error

type exchangeKey struct{}

// exchangeContext carries an exchange and the checks in it: one context for
// both.
type exchangeContext struct {
	context.Context
	x *Exchange
}

// Value answers for the exchange and its checks.
func (c exchangeContext) Value(key any) any {
	switch key.(type) {
	case exchangeKey:
		return c.x
	case keystone.ChecksKey:
		return &c.x.Checks
	}
	return c.Context.Value(key)
}

// WithExchange returns a context that carries x.
func WithExchange(ctx context.Context, x *Exchange) context.Context { return exchangeContext{ctx, x} }

// ExchangeOf returns the exchange of the request, or an empty one outside of
// the server.
func ExchangeOf(ctx context.Context) *Exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		return x
	}
	return &Exchange{Actor: keystone.Anonymous()}
}

// Actor returns who makes the request. It carries the request id and the
// source address even where nobody has signed in.
func Actor(ctx context.Context) keystone.Actor { return ExchangeOf(ctx).Actor }

// SetActor notes who acts, where a handler authenticates by itself.
func SetActor(ctx context.Context, a keystone.Actor) {
	x := ExchangeOf(ctx)
	a.RequestID, a.Source = x.Actor.RequestID, x.Actor.Source
	x.Actor = a
}

// Certificates returns the TLS client certificate of the request, then what came
// along to verify it. That its sender holds the certificate's key is shown by the
// handshake; everything else about it is still to be checked.
func Certificates(ctx context.Context) []*x509.Certificate {
	if x := ExchangeOf(ctx); x.Certificates != nil {
		return x.Certificates()
	}
	return nil
}

// SetUser notes for the access log whom a request signed in, made, or got tokens for. The
// actor stays who it was: limits, audit rows and rights go by that one.
func SetUser(ctx context.Context, userID string) {
	if x, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		x.UserID = userID
	}
}

// SetClient notes the client of a request for the access log.
func SetClient(ctx context.Context, clientID string) {
	if x, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		x.ClientID = clientID
	}
}

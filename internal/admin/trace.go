package admin

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// Trace is why a request was refused, in an answer.
type Trace struct {
	RequestID string            `json:"request_id"`
	At        time.Time         `json:"at"`
	Route     string            `json:"route"`
	Source    string            `json:"source" doc:"Address that the request came from."`
	ClientID  string            `json:"client_id" doc:"As far as it was known."`
	ActorID   string            `json:"actor_id"`
	Status    int               `json:"status" doc:"303 where the refusal went to the client by redirect."`
	Error     string            `json:"error" doc:"The code that was answered."`
	Refused   string            `json:"refused_by" doc:"The check that refused: the last of checks."`
	Fix       string            `json:"fix" doc:"What would mend it."`
	Checks    []string          `json:"checks" doc:"What the request was held against, in order."`
	Facts     map[string]string `json:"facts" doc:"What the last checks compared; never secrets."`
}

func viewTrace(t keystone.Trace) Trace {
	v := Trace{RequestID: t.RequestID, At: t.At, Route: t.Route, Source: t.Source, ClientID: t.ClientID, ActorID: t.ActorID,
		Status: t.Status, Error: t.Code, Fix: t.Fix, Checks: t.Checks, Facts: t.Facts}
	if n := len(t.Checks); n > 0 {
		v.Refused = t.Checks[n-1]
	}
	return v
}

type explainRequest struct {
	RequestID string `path:"request_id" maxLength:"64" doc:"As in the error, and in the header X-Request-Id."`
}

type explainAnswer struct{ Body httpio.Collection[Trace] }

// explain serves GET /api/v1/admin/traces/{request_id}, newest first: an id that the caller
// chose may have come more than once. All are on one page.
func (s *Slice) explain(ctx context.Context, in *explainRequest) (*explainAnswer, error) {
	list, err := s.Store.Traces(ctx, in.RequestID)
	if keystone.KindOf(err) == keystone.NotFound {
		err = keystone.ErrNoTrace
	}
	if err != nil {
		return nil, err
	}
	return &explainAnswer{httpio.Collect(keystone.List[keystone.Trace]{Items: list}, viewTrace)}, nil
}

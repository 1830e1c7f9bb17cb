package admin

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// AuditEvent is a row of the audit trail in an answer.
type AuditEvent struct {
	Seq        int64          `json:"seq" doc:"Its place in the trail."`
	ID         string         `json:"id" format:"uuid"`
	At         time.Time      `json:"at"`
	ActorKind  string         `json:"actor_kind" enum:"anonymous,user,client,operator,system,registration"`
	ActorID    string         `json:"actor_id"`
	ActorName  string         `json:"actor_name"`
	ClientID   string         `json:"client_id" doc:"The client through which the actor acted."`
	Source     string         `json:"source" doc:"Address that the request came from."`
	RequestID  string         `json:"request_id"`
	Action     string         `json:"action"`
	TargetKind string         `json:"target_kind"`
	TargetID   string         `json:"target_id"`
	TargetName string         `json:"target_name"`
	Detail     map[string]any `json:"detail" doc:"What was before and after, and reasons; never secrets."`
}

func viewAudit(e keystone.AuditEvent) AuditEvent {
	v := AuditEvent{
		Seq: e.Seq, ID: e.ID, At: e.At, ActorKind: string(e.ActorKind), ActorID: e.ActorID, ActorName: e.ActorName, ClientID: e.ClientID,
		Source: e.Source, RequestID: e.RequestID, Action: e.Action, TargetKind: e.TargetKind, TargetID: e.TargetID, TargetName: e.TargetName, Detail: e.Detail,
	}
	if v.Detail == nil {
		v.Detail = map[string]any{}
	}
	return v
}

type listAuditRequest struct {
	httpio.PageQuery
	From   time.Time `query:"from" doc:"Not before this time (RFC 3339)."`
	To     time.Time `query:"to" doc:"Before this time (RFC 3339)."`
	Actor  string    `query:"actor" maxLength:"254" doc:"Id, or name, of who acted. A name means whoever has it now, and among the newest 50,000 entries (before to, where it is given) also who had it then."`
	Action string    `query:"action" maxLength:"100" doc:"An action such as user.created, or a family of them such as user. with the dot."`
	Target string    `query:"target" maxLength:"254" doc:"Id, or name, of what it was done to; a name as in actor."`
}

type listAuditAnswer struct {
	Body httpio.Collection[AuditEvent]
}

func (s *Slice) listAudit(ctx context.Context, in *listAuditRequest) (*listAuditAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	if err := keystone.CheckAuditAction(in.Action); err != nil {
		return nil, err
	}
	list, err := s.Store.AuditEvents(ctx, keystone.AuditFilter{From: in.From, To: in.To, Actor: in.Actor, Action: in.Action, Target: in.Target}, p)
	if err != nil {
		return nil, err
	}
	return &listAuditAnswer{httpio.Collect(list, viewAudit)}, nil
}

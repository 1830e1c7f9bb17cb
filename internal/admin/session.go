package admin

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// Session is a session in an answer.
type Session struct {
	ID        string    `json:"id" format:"uuid"`
	UserID    string    `json:"user_id" format:"uuid"`
	Username  string    `json:"username"`
	ClientID  string    `json:"client_id" doc:"The client through which the user signed in."`
	Source    string    `json:"source" doc:"Address at sign-in."`
	UserAgent string    `json:"user_agent"`
	AMR       []string  `json:"amr" doc:"How the user signed in (RFC 8176)."`
	CreatedAt time.Time `json:"created_at"`
	LastSeen  time.Time `json:"last_seen" doc:"Last sign-in or refresh."`
	ExpiresAt time.Time `json:"expires_at"`
}

func viewSession(ses keystone.Session) Session {
	return Session{
		ID: ses.ID, UserID: ses.UserID, Username: ses.Username, ClientID: ses.ClientID, Source: ses.Source, UserAgent: ses.UserAgent,
		AMR: ses.AMR, CreatedAt: ses.CreatedAt, LastSeen: ses.LastSeen, ExpiresAt: ses.ExpiresAt,
	}
}

type listSessionsAnswer struct {
	Body httpio.Collection[Session]
}

func answerSessions(list keystone.List[keystone.Session], err error) (*listSessionsAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &listSessionsAnswer{httpio.Collect(list, viewSession)}, nil
}

type listSessionsRequest struct {
	httpio.PageQuery
	UserID string `query:"user_id" maxLength:"36" doc:"Only this user's."`
}

func (s *Slice) listSessions(ctx context.Context, in *listSessionsRequest) (*listSessionsAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	if in.UserID != "" && !keystone.IsID(in.UserID) {
		return nil, keystone.FailField("user_id", "Give a user's id.")
	}
	return answerSessions(s.Store.Sessions(ctx, in.UserID, p))
}

type sessionAnswer struct{ Body Session }

func (s *Slice) readSession(ctx context.Context, in *ByID) (*sessionAnswer, error) {
	id, err := in.id("session")
	if err != nil {
		return nil, err
	}
	ses, err := s.Store.LivingSession(ctx, "", id)
	return &sessionAnswer{viewSession(ses)}, err
}

func (s *Slice) endSession(ctx context.Context, in *ByID) (*empty, error) {
	id, err := in.id("session")
	if err != nil {
		return nil, err
	}
	return nil, s.Store.EndSession(ctx, httpio.Actor(ctx), id, "", keystone.EndRevoked)
}

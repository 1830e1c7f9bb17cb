package account

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// OwnSession is one of the user's sessions in an answer.
type OwnSession struct {
	ID        string    `json:"id" format:"uuid"`
	Current   bool      `json:"current" doc:"The session that asks."`
	ClientID  string    `json:"client_id" doc:"The client through which you signed in."`
	Source    string    `json:"source" doc:"Address at sign-in."`
	UserAgent string    `json:"user_agent"`
	AMR       []string  `json:"amr" doc:"How you signed in (RFC 8176)."`
	CreatedAt time.Time `json:"created_at"`
	LastSeen  time.Time `json:"last_seen" doc:"Last sign-in or refresh."`
	ExpiresAt time.Time `json:"expires_at"`
}

type listSessionsAnswer struct {
	Body httpio.Collection[OwnSession]
}

func (s *Slice) listSessions(ctx context.Context, in *httpio.PageQuery) (*listSessionsAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	by := httpio.Actor(ctx)
	list, err := s.Store.Sessions(ctx, by.ID, p)
	if err != nil {
		return nil, err
	}
	return &listSessionsAnswer{httpio.Collect(list, func(ses keystone.Session) OwnSession { return viewSession(by, ses) })}, nil
}

func viewSession(by keystone.Actor, ses keystone.Session) OwnSession {
	return OwnSession{
		ID: ses.ID, Current: ses.ID == by.SessionID, ClientID: ses.ClientID, Source: ses.Source, UserAgent: ses.UserAgent,
		AMR: ses.AMR, CreatedAt: ses.CreatedAt, LastSeen: ses.LastSeen, ExpiresAt: ses.ExpiresAt,
	}
}

type sessionRequest struct {
	ID string `path:"id" maxLength:"100"`
}

func (r sessionRequest) id() (string, error) {
	if !keystone.IsID(r.ID) {
		return "", keystone.Fail(keystone.NotFound, "There is no such session.")
	}
	return r.ID, nil
}

type sessionAnswer struct{ Body OwnSession }

// readSession reads one session of the user; somebody else's is not found.
func (s *Slice) readSession(ctx context.Context, in *sessionRequest) (*sessionAnswer, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	by := httpio.Actor(ctx)
	ses, err := s.Store.LivingSession(ctx, by.ID, id)
	return &sessionAnswer{viewSession(by, ses)}, err
}

// endSession ends one session of the user; somebody else's is not found.
func (s *Slice) endSession(ctx context.Context, in *sessionRequest) (*empty, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	by := httpio.Actor(ctx)
	return nil, s.Store.EndSession(ctx, by, id, by.ID, keystone.EndRevoked)
}

func (s *Slice) endOtherSessions(ctx context.Context, _ *struct{}) (*empty, error) {
	by := httpio.Actor(ctx)
	_, err := s.Store.EndSessions(ctx, by, by.ID, by.SessionID, keystone.EndRevoked)
	return nil, err
}

package admin

import (
	"context"
	"net/url"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/proof"
)

type setRolesRequest struct {
	ByID
	Match
	Body struct {
		Roles []string `json:"roles" maxItems:"100" doc:"Names of all roles that the user has from now on."`
	}
}

func (s *Slice) setRoles(ctx context.Context, in *setRolesRequest) (*userAnswer, error) {
	version, err := httpio.Version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return answerUser(s.Store.SetUserRoles(ctx, httpio.Actor(ctx), in.ID, version, in.Body.Roles))
}

type resetPasswordAnswer struct {
	Body struct {
		ResetURL  string    `json:"reset_url" format:"uri" doc:"Give it to the user. Whoever has it chooses the password, once; it is shown this once."`
		ExpiresAt time.Time `json:"expires_at"`
	}
}

// resetPassword hands the link to the administrator: this release sends no mail.
// The trail tells that a reset was started, and by whom.
func (s *Slice) resetPassword(ctx context.Context, in *ByID) (*resetPasswordAnswer, error) {
	by := httpio.Actor(ctx)
	if own(by, in.ID) {
		return nil, errOwn
	}
	value, expires, err := s.Proof.StartReset(ctx, by, in.ID)
	if err != nil {
		return nil, err
	}
	out := &resetPasswordAnswer{}
	out.Body.ResetURL = s.Issuer + "/reset?token=" + url.QueryEscape(value)
	out.Body.ExpiresAt = expires
	return out, nil
}

func (s *Slice) unlockUser(ctx context.Context, in *ByID) (*empty, error) {
	by := httpio.Actor(ctx)
	if own(by, in.ID) {
		return nil, errOwn
	}
	return nil, s.Store.Unlock(ctx, by, in.ID, proof.Prefix(in.ID))
}

type listUserSessionsRequest struct {
	ByID
	httpio.PageQuery
}

func (s *Slice) listUserSessions(ctx context.Context, in *listUserSessionsRequest) (*listSessionsAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.User(ctx, in.ID); err != nil {
		return nil, err
	}
	return answerSessions(s.Store.Sessions(ctx, in.ID, p))
}

func (s *Slice) endUserSessions(ctx context.Context, in *ByID) (*empty, error) {
	_, err := s.Store.EndSessions(ctx, httpio.Actor(ctx), in.ID, "", keystone.EndRevoked)
	return nil, err
}

package login

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

type logoutRequest struct{}

type logoutAnswer struct{}

// logout serves POST /api/v1/auth/logout.
func (s *Slice) logout(ctx context.Context, _ *logoutRequest) (*logoutAnswer, error) {
	by := httpio.Actor(ctx)
	return nil, s.Store.EndSession(ctx, by, by.SessionID, by.ID, keystone.EndLogout)
}

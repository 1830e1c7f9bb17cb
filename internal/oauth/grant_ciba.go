package oauth

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

var errNoAuthReqID = keystone.Fail(keystone.Invalid, "Send auth_req_id.")

// ciba is a client that asks whether the person has answered, of itself or because
// it was told to (OpenID Connect CIBA section 10.1).
func (s *Slice) ciba(ctx context.Context, r grantRequest) (token.Response, error) {
	id := r.form.Get("auth_req_id")
	if id == "" {
		return token.Response{}, errNoAuthReqID
	}
	return s.poll(ctx, r, poll{keystone.GrantCIBA, store.PendingBackchannel, secret.AuthReqID, id})
}

package oauth

import (
	"context"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

var errNoDeviceCode = keystone.Fail(keystone.Invalid, "Send device_code.")

// deviceCode is a device that asks whether its person has answered (RFC 8628
// section 3.4).
func (s *Slice) deviceCode(ctx context.Context, r grantRequest) (token.Response, error) {
	code := r.form.Get("device_code")
	if code == "" {
		return token.Response{}, errNoDeviceCode
	}
	return s.poll(ctx, r, poll{keystone.GrantDeviceCode, store.PendingDevice, secret.DeviceCode, code})
}

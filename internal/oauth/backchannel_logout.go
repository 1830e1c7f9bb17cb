package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// LogoutNotices tells clients of sessions that have ended (OpenID Connect
// Back-Channel Logout section 2.5). What there is to tell lies in the store's
// outbox since the transaction that ended the session; whoever logs out does not
// wait for it.
type LogoutNotices struct {
	Store  *store.Store
	Issuer *token.Issuer
	// Post sends a form to a client's address and answers its status. It follows no
	// redirects, takes bounded time, and goes nowhere the operator would not.
	Post func(ctx context.Context, address, contentType string, body []byte) (status int, err error)
}

// Deliver posts one notice, with a token made now: one that waited for a receiver
// to come back would have expired. nil: there is nothing left to do for it.
func (n *LogoutNotices) Deliver(ctx context.Context, payload []byte) error {
	var note store.LogoutNotice
	if err := json.Unmarshal(payload, &note); err != nil {
		return fmt.Errorf("oauth: logout notice: %w", err)
	}
	c, err := n.Store.CachedClient(ctx, note.ClientID)
	if keystone.KindOf(err) == keystone.NotFound || err == nil && (!c.Enabled || c.BackchannelLogoutURI == "") {
		return nil // the client no longer wants to know
	}
	if err != nil {
		return err
	}
	raw, err := n.Issuer.LogoutToken(ctx, c, note.UserID, note.SessionID)
	if err != nil {
		return err
	}
	status, err := n.Post(ctx, c.BackchannelLogoutURI, "application/x-www-form-urlencoded", []byte(url.Values{"logout_token": {raw}}.Encode()))
	if err != nil {
		return err
	}
	if status != http.StatusOK && status != http.StatusNoContent {
		return fmt.Errorf("the receiver answered %s", strconv.Itoa(status))
	}
	return nil
}

// ClientOf names the client that a notice is for, or "".
func ClientOf(payload []byte) string {
	var note store.LogoutNotice
	if json.Unmarshal(payload, &note) != nil {
		return ""
	}
	return note.ClientID
}

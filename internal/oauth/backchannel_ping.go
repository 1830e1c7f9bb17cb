package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// Pings tells clients that a person has answered (OpenID Connect CIBA section 10.2).
// What there is to tell lies in the store's outbox since the transaction of the
// answer.
type Pings struct {
	Store *store.Store
	// Post sends a body to a client's address under a bearer value and answers its
	// status. It follows no redirects, takes bounded time, and goes nowhere the
	// operator would not.
	Post func(ctx context.Context, address, contentType, bearer string, body []byte) (status int, err error)
}

// Deliver posts one notification. nil: there is nothing left to do for it. It says
// only that there is an answer; which one, the client learns by polling.
func (n *Pings) Deliver(ctx context.Context, payload []byte) error {
	var ping store.Ping
	if err := json.Unmarshal(payload, &ping); err != nil {
		return fmt.Errorf("oauth: notification: %w", err)
	}
	if !n.Store.Now().Before(ping.Until) {
		return nil // there is nothing to poll for any more
	}
	c, err := n.Store.CachedClient(ctx, ping.ClientID)
	if keystone.KindOf(err) == keystone.NotFound || err == nil && (!c.Enabled || c.BackchannelDelivery != keystone.DeliveryPing) {
		return nil // the client no longer wants to know
	}
	if err != nil {
		return err
	}
	what, err := n.Store.OpenPing(ping)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"auth_req_id": what.AuthReqID})
	if err != nil {
		return err
	}
	status, err := n.Post(ctx, c.BackchannelNotify, "application/json", what.Token, body)
	if err != nil {
		return err
	}
	switch {
	case status == http.StatusOK || status == http.StatusNoContent:
		return nil
	case status >= 300 && status < 500 && status != http.StatusTooManyRequests:
		return fmt.Errorf("%w: it answered %s", ErrUnwanted, strconv.Itoa(status))
	}
	return fmt.Errorf("the receiver answered %s", strconv.Itoa(status))
}

// ErrUnwanted is a notice that its receiver refused for what it is: sending it again
// would not help.
var ErrUnwanted = errors.New("the receiver does not want this notice")

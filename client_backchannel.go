package keystone

import (
	"slices"
	"strings"
)

// How a client learns that its person has answered (backchannel_token_delivery_mode,
// OpenID Connect CIBA section 5). Push, the third mode, sends tokens to an address
// and is not served: nothing would prove that it is the client who gets them.
const (
	DeliveryPoll = "poll"
	DeliveryPing = "ping"
)

// validateBackchannel checks the settings of the CIBA grant (OpenID Connect CIBA
// section 4).
func (s *ClientSettings) validateBackchannel(f fields) {
	switch s.BackchannelDelivery {
	case "", DeliveryPoll:
		if s.BackchannelNotify != "" {
			f["backchannel_client_notification_endpoint"] = "Set backchannel_token_delivery_mode to ping too: a client that polls is not told."
		}
	case DeliveryPing:
		why := OutboundURLProblem(s.BackchannelNotify)
		if why == "" && strings.Contains(s.BackchannelNotify, "#") {
			why = "The address has no fragment."
		}
		if why != "" {
			f["backchannel_client_notification_endpoint"] = why
		}
	default:
		f["backchannel_token_delivery_mode"] = "It is poll or ping."
	}
	switch alg := s.BackchannelAlg; {
	case alg == "":
	case !slices.Contains(AssertionAlgs(), alg):
		f["backchannel_authentication_request_signing_alg"] = "It is PS256, ES256, EdDSA or RS256."
	case !s.HasKeys():
		f["backchannel_authentication_request_signing_alg"] = "Register the client's public keys, as jwks or jwks_uri: its requests are checked with them."
	}
}

// maxBindingMessage is the longest binding_message: people compare it on two
// screens (OpenID Connect CIBA section 7.1).
const maxBindingMessage = 100

// IsBindingMessage reports whether a client may have s shown to a person: a short
// line without control characters, and none that turn the text around.
func IsBindingMessage(s string) bool { return validText("", s, maxBindingMessage) == nil }

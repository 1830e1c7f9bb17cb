package main

import (
	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

// backchannelFlags say how a client asks people who are somewhere else (OpenID
// Connect CIBA).
type backchannelFlags struct{ delivery, notify, alg string }

func (f *backchannelFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.delivery, "backchannel-delivery-mode", "", "how it learns that a person has answered (CIBA): poll, or ping: it is told when to poll; empty: poll")
	c.Flags().StringVar(&f.notify, "backchannel-notification-endpoint", "", "with ping: https address where it is told")
	c.Flags().StringVar(&f.alg, "backchannel-request-alg", "", "the only algorithm of its CIBA requests, which must then be signed: PS256, ES256, EdDSA or RS256")
}

func (f *backchannelFlags) apply(c *cobra.Command, client *keystone.Client) {
	put(c, "backchannel-delivery-mode", &client.BackchannelDelivery, f.delivery)
	put(c, "backchannel-notification-endpoint", &client.BackchannelNotify, f.notify)
	put(c, "backchannel-request-alg", &client.BackchannelAlg, f.alg)
}

// clientBackchannel says how the client learns of answers.
func clientBackchannel(c clientView) string {
	text := "polls"
	if c.BackchannelDelivery == keystone.DeliveryPing {
		text = "is told at " + c.BackchannelNotify
	}
	if c.BackchannelAlg != "" {
		text += ", requests signed by " + c.BackchannelAlg
	}
	return text
}

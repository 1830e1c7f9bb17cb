package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

// logoutFlags are what a client wants to know when a session ends.
type logoutFlags struct {
	backchannel, frontchannel               string
	backchannelSession, frontchannelSession bool
}

func (f *logoutFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.backchannel, "backchannel-logout-uri", "", "https address that gets a logout token when a session ends (OpenID Connect Back-Channel Logout)")
	c.Flags().BoolVar(&f.backchannelSession, "backchannel-logout-session-required", false, "the logout token must carry sid; Keystone's always do")
	c.Flags().StringVar(&f.frontchannel, "frontchannel-logout-uri", "", "https address, of the origin of a redirect URI, that the page after logging out loads in a frame")
	c.Flags().BoolVar(&f.frontchannelSession, "frontchannel-logout-session-required", false, "adds iss and sid to the front-channel address")
}

func (f *logoutFlags) apply(c *cobra.Command, client *keystone.Client) {
	put(c, "backchannel-logout-uri", &client.BackchannelLogoutURI, f.backchannel)
	put(c, "backchannel-logout-session-required", &client.BackchannelLogoutSession, f.backchannelSession)
	put(c, "frontchannel-logout-uri", &client.FrontchannelLogoutURI, f.frontchannel)
	put(c, "frontchannel-logout-session-required", &client.FrontchannelLogoutSession, f.frontchannelSession)
}

// clientLogout says what the client is told of a session that ends.
func clientLogout(c clientView) string {
	var told []string
	if c.BackchannelLogoutURI != "" {
		told = append(told, "back channel "+c.BackchannelLogoutURI)
	}
	if c.FrontchannelLogoutURI != "" {
		told = append(told, "front channel "+c.FrontchannelLogoutURI)
	}
	if told == nil {
		return "not told"
	}
	return strings.Join(told, ", ")
}

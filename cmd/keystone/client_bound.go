package main

import (
	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

// clientBoundFlags are what a client's tokens are bound to.
type clientBoundFlags struct{ dpopBound, dpopNonce, tlsBound bool }

func (f *clientBoundFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.dpopBound, "dpop-bound", false, "it gets only access tokens that are bound to the key of a DPoP proof (RFC 9449)")
	c.Flags().BoolVar(&f.tlsBound, "tls-bound", false, "it gets only access tokens that are bound to its TLS client certificate (RFC 8705)")
	c.Flags().BoolVar(&f.dpopNonce, "dpop-nonce", false, "its DPoP proofs must carry a nonce of the server")
}

func (f *clientBoundFlags) apply(c *cobra.Command, client *keystone.Client) {
	put(c, "dpop-bound", &client.DPoPBound, f.dpopBound)
	put(c, "tls-bound", &client.TLSBound, f.tlsBound)
	put(c, "dpop-nonce", &client.DPoPNonce, f.dpopNonce)
}

func clientBound(c clientView) string {
	nonce := ""
	if c.DPoPNonce {
		nonce = ", with a nonce in each proof"
	}
	switch {
	case c.DPoPBound && c.TLSBound:
		return "a DPoP key and the TLS client certificate" + nonce
	case c.DPoPBound:
		return "a DPoP key" + nonce
	case c.TLSBound:
		return "the TLS client certificate"
	}
	return "a DPoP key where the client shows one, else to nothing" + nonce
}

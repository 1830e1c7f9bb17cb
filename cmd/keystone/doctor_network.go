package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"
)

// listeners checks that the listeners are ours or free, and reports whether a
// server runs here.
func (d *doctor) listeners(ctx context.Context) (running bool) {
	url := listenerURL(d.cfg)
	if err := askHealth(ctx, url+"/health"); err == nil {
		d.ok("listeners", "A server answers at %s.", url)
		return true
	}
	for _, addr := range []string{d.cfg.Addr(), d.cfg.ManagementAddr} {
		if addr == "" {
			continue
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			d.fail("listeners", "%s cannot be listened on: %v. Stop what uses it, or change HOST, PORT or MANAGEMENT_ADDR.", addr, err)
			continue
		}
		_ = l.Close()
		d.ok("listeners", "%s is free; no server runs here.", addr)
	}
	return false
}

// maxSkew is how far clocks may part before tokens are refused for it.
const maxSkew = 10 * time.Second

// issuer checks that clients reach the server where its tokens say it is.
func (d *doctor) issuer(ctx context.Context) {
	client := &http.Client{Timeout: 5 * time.Second} // as clients do: names, certificates and proxies count
	body, header, err := get(ctx, client, d.cfg.Issuer+"/.well-known/oauth-authorization-server")
	if err != nil {
		d.fail("issuer", "ISSUER is not reached from here: %v. Check ISSUER, name service, certificate and proxy.", err)
		return
	}
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if json.Unmarshal(body, &metadata) != nil || metadata.Issuer != d.cfg.Issuer {
		d.fail("issuer", "What answers at %s calls itself something else. Set ISSUER to the address that clients use.", d.cfg.Issuer)
		return
	}
	body, _, err = get(ctx, client, metadata.JWKSURI)
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err != nil || json.Unmarshal(body, &set) != nil {
		d.fail("issuer", "The key set is not read at %s: %v", metadata.JWKSURI, err)
		return
	}
	d.ok("issuer", "Clients reach %s; %d keys are published.", d.cfg.Issuer, len(set.Keys))
	d.clock(header.Get("Date"))
}

// clock compares this machine's clock with that of the node that answered.
func (d *doctor) clock(date string) {
	there, err := http.ParseTime(date)
	if err != nil {
		return
	}
	d.skew("the node that answers at ISSUER", there.Add(500*time.Millisecond)) // the header has whole seconds
}

func (d *doctor) skew(whose string, there time.Time) {
	skew := time.Since(there).Round(time.Millisecond)
	if skew.Abs() > maxSkew {
		d.fail("clock", "The clocks of this machine and of %s differ by %s: tokens will be refused. Run NTP on both.", whose, skew.Abs())
		return
	}
	d.ok("clock", "This machine and %s agree about the time.", whose)
}

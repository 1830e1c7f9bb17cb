package main

import "github.com/keystone-auth/keystone/internal/ephemeral"

// redis checks that Redis counts as it does for a server: that it is there, lets
// Keystone in, runs the script and takes writes. It is a warning only: without
// Redis, limits are counted by each node alone.
func (d *doctor) redis() {
	if !d.cfg.RedisURL.IsSet() {
		return
	}
	err := ephemeral.Probe(ephemeral.Options{RedisURL: d.cfg.RedisURL.Reveal(), RedisPassword: d.cfg.RedisPassword.Reveal()})
	if err != nil {
		d.warn("redis", "Redis does not count: %v. Until it does, each node counts its rate limits alone.", err)
		return
	}
	d.ok("redis", "Redis counts rate limits for all nodes.")
}

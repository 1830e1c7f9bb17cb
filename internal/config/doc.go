// Package config owns every setting: its name, type, default, help and check.
//
// It is the only package that reads the environment, and it imports nothing of
// ours: settings are read before anything else exists. [Load] is pure but for
// the files it is told to read; the environment reaches it as a list, which
// only the command takes from [Environ].
//
//	defaults < .env or --config FILE < environment
//
// A setting is one field of [Config] with its tags. Parsing, the unknown-name
// check, `keystone config show`, docs/CONFIG.md and .env.example follow from
// them; checks that need two settings are in check.go. After a change run
// `make docs`.
//
// No form of printing a Config shows a secret, see [Secret].
//
// Start reading at config.go, then load.go.
package config

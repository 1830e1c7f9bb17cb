package main

import (
	"context"
	"time"
)

// row is one thing that is measured.
type row struct {
	name     string
	postgres bool // needs PostgreSQL; else it runs on SQLite
	conns    int
	run      func(context.Context, *bench, row) error

	// How it is judged; see PERFORMANCE in README.md.
	limit float64       // published, requests/s; 0: as the yardstick says
	by    yardstick     // carries the limit to today
	share float64       // of today's limit that must be reached; 0: no target
	cpu   time.Duration // published, server time for each request; 0: no target
	p99   time.Duration // as it is; 0: no target
	bare  string        // path of the bare endpoint; empty: none
}

// rows is everything that is measured, in order.
var rows = []row{
	{name: "bare: empty handler", conns: 64, run: bareHTTP, bare: "/empty"},
	{name: "bare: token-shaped handler", conns: 64, run: bareHTTP, bare: "/token"},
	{name: "bare: ES256 signature, all processors", run: bareWork("sign", "-alg", "ES256")},
	{name: "bare: RS256-2048 signature, all processors", run: bareWork("sign", "-alg", "RS256")},
	{name: "bare: argon2id 19456/2/1, golang.org/x/crypto, HASH_SLOTS at once", run: bareWork("hash")},
	{name: "bare: argon2id 19456/2/1, Keystone's own, HASH_SLOTS at once", run: bareWork("own-hash")},
	{name: "bare: rotations on PostgreSQL, one statement, grouped, 64 callers", postgres: true, run: bareWork("rotate", "-workers", "64")},
	{name: "bare: inserts on PostgreSQL, grouped, 64 callers", postgres: true, run: bareWork("insert", "-workers", "64")},
	{name: "bare: rows on SQLite FULL, 64 in a transaction", run: bareWork("lite", "-workers", "64")},

	{name: "client_credentials, ES256", postgres: true, conns: 16, run: serviceToken, limit: 23_700, by: byShape, share: 0.8, cpu: 80 * time.Microsecond, bare: "/es256"},
	{name: "client_credentials, RS256-2048", postgres: true, conns: 16, run: serviceTokenRS256, limit: 2_220, by: byShape, share: 0.9, bare: "/rs256"},
	{name: "client_credentials, opaque, PostgreSQL", postgres: true, conns: 16, run: opaqueToken, limit: 14_600, by: byInsert, share: 0.7, bare: "/opaque"},
	{name: "client_credentials, opaque, PostgreSQL, c=64", postgres: true, conns: 64, run: opaqueToken, limit: 25_000, by: byInsert, share: 0.7, bare: "/opaque"},
	{name: "sign-in, argon2id 19456/2/1", postgres: true, conns: 8, run: signIn, limit: 1, by: byHash, share: 0.9},
	{name: "sign-in, against Keystone's own hash", postgres: true, conns: 8, run: signIn, limit: 1, by: byOwnHash},
	{name: "client_credentials during a storm of 32 sign-ins", postgres: true, conns: 4, run: storm, p99: 40 * time.Millisecond, share: 0.25},
	{name: "refresh, PostgreSQL", postgres: true, conns: 16, run: refresh, limit: 7_660, by: byRotate, share: 0.8, p99: 10 * time.Millisecond, bare: "/refresh"},
	{name: "refresh, PostgreSQL, c=64", postgres: true, conns: 64, run: refresh, limit: 9_840, by: byRotate, share: 0.8, bare: "/refresh"},
	{name: "refresh, SQLite FULL, c=64", conns: 64, run: refresh, limit: 28_000, by: byLite, share: 8.0 / 28},
	{name: "64 refresh chains, PostgreSQL", postgres: true, conns: 64, run: chainsHold},
	{name: "64 refresh chains, SQLite", conns: 64, run: chainsHold},
	{name: "introspection, opaque, each token once", postgres: true, conns: 16, run: introspectOnce, limit: 20_300, by: byShape, share: 0.75, bare: "/introspect"},
	{name: "introspection, opaque, seen before", postgres: true, conns: 16, run: introspectSeen, limit: 36_800, by: byShape, share: 0.75, bare: "/introspect-seen"},
	{name: "users/me, each user once", postgres: true, conns: 16, run: meOnce, limit: 12_300, by: byShape, share: 0.8, bare: "/me"},
	{name: "users/me, seen before", postgres: true, conns: 16, run: meSeen, limit: 54_200, by: byShape, share: 0.65, bare: "/me-seen"},
	{name: "revocation of access tokens", postgres: true, conns: 16, run: revokeAccess, limit: 10_500, by: byShape, share: 0.75, bare: "/revoke"},
	{name: "revocation of refresh tokens", postgres: true, conns: 16, run: revokeRefresh, limit: 10_500, by: byShape},

	{name: "bare: code flow, ID token RS256", postgres: true, conns: 16, run: bareFlow, bare: "/flow-rs256"},
	{name: "bare: code flow, ID token ES256", postgres: true, conns: 16, run: bareFlow, bare: "/flow-es256"},
	{name: "code flow with a live session, ID token RS256", postgres: true, conns: 16, run: codeFlow(func(f *fixture) credentials { return f.app }), limit: 2 * 1_500, by: byShape, share: 1},
	{name: "code flow with a live session, ID token ES256", postgres: true, conns: 16, run: codeFlow(func(f *fixture) credentials { return f.appES256 }), limit: 2 * 1_500, by: byShape, share: 1},
	{name: "code flow with a live session, SQLite", conns: 16, run: codeFlow(func(f *fixture) credentials { return f.appES256 })},
	{name: "client_credentials during a flood of code flows", postgres: true, conns: 4, run: flood},

	{name: "start to healthy, SQLite", run: startTime},
	{name: "start to healthy, PostgreSQL", postgres: true, run: startTime},
	{name: "memory, idle and in a storm of 256 sign-ins, SQLite", run: memory},
	{name: "memory, idle and in a storm of 256 sign-ins, PostgreSQL", postgres: true, run: memory},
	{name: "stripped binary", run: binarySize},
	{name: "list users, page 1 and page 10,000, SQLite", run: listPages},
	{name: "list users, page 1 and page 10,000, PostgreSQL", postgres: true, run: listPages},
	{name: "search users by prefix, SQLite", conns: 4, run: search, p99: 20 * time.Millisecond},
	{name: "search users by prefix, PostgreSQL", postgres: true, conns: 4, run: search, p99: 20 * time.Millisecond},
}

package main

import (
	"context"
	"path/filepath"
	"strconv"
	"time"

	"github.com/keystone-auth/keystone/bench/limits"
	"github.com/keystone-auth/keystone/bench/load"
)

// The published limits were taken at one minute on one machine. A yardstick was
// taken at the same minute and is taken again beside every row: the limit of
// today is the published one times what the yardstick gives today over what it
// gave then.
const (
	thenShape    = 42_800 // requests/s of the token-shaped handler, 64 connections
	thenShapeCPU = 20500 * time.Nanosecond
	thenRotate   = 30_300 // grouped one-statement rotations/s, PostgreSQL, 64 callers
	thenInsert   = 48_900 // grouped inserts/s, PostgreSQL, 64 callers, two writers
	thenLite     = 28_000 // rows/s, SQLite with synchronous=FULL, 64 in a transaction
)

// yard is how this minute compares with that one.
type yard struct {
	speed float64 // rates then times this are rates now
	work  float64 // processor times then times this are processor times now; 0: not known
}

// yardTime is how long a yardstick is held to one slice.
const yardTime = 800 * time.Millisecond / rounds

type yardstick func(context.Context, *bench) (yard, error)

// byShape runs the token-shaped handler: HTTP Basic and a form in, JSON out, no
// work.
func byShape(ctx context.Context, b *bench) (yard, error) {
	form := []byte("grant_type=client_credentials&scope=orders%3Aread+orders%3Awrite")
	request := appendForm(nil, "/token", basic(limits.ClientID, limits.ClientSecret), form)
	s, err := b.shoot(ctx, b.limits.pid, load.Plan{Addr: b.limits.addr, Conns: 64, Warm: warm / 2, For: yardTime, Next: constant(request), Check: has("access_token")})
	if err == nil {
		err = s.failed()
	}
	return yard{speed: s.Rate() / thenShape, work: float64(s.cpu()) / float64(thenShapeCPU)}, err
}

// byRotate runs the bare grouped rotation on PostgreSQL.
func byRotate(ctx context.Context, b *bench) (yard, error) {
	rate, err := b.limit(ctx, "rotate", "-postgres", b.limitsURL, "-workers", "64", "-for", b.mode.scale(yardTime).String())
	return yard{speed: rate / thenRotate}, err
}

// byInsert runs the bare grouped insert on PostgreSQL.
func byInsert(ctx context.Context, b *bench) (yard, error) {
	rate, err := b.limit(ctx, "insert", "-postgres", b.limitsURL, "-workers", "64", "-for", b.mode.scale(yardTime).String())
	return yard{speed: rate / thenInsert}, err
}

// byLite runs the bare grouped insert on SQLite.
func byLite(ctx context.Context, b *bench) (yard, error) {
	rate, err := b.limit(ctx, "lite", "-sqlite", filepath.Join(b.dir, "limits.db"), "-workers", "64", "-for", b.mode.scale(yardTime).String())
	return yard{speed: rate / thenLite}, err
}

// byHash is the bare hash itself: its limit is 1 hash/s times what it gives.
func byHash(ctx context.Context, b *bench) (yard, error) {
	rate, err := b.limit(ctx, "hash", "-workers", strconv.Itoa(b.slots), "-for", b.mode.scale(2*yardTime).String())
	return yard{speed: rate}, err
}

// byOwnHash is the same with Keystone's own code for the hash.
func byOwnHash(ctx context.Context, b *bench) (yard, error) {
	rate, err := b.limit(ctx, "own-hash", "-workers", strconv.Itoa(b.slots), "-for", b.mode.scale(2*yardTime).String())
	return yard{speed: rate}, err
}

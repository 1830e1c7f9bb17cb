package limits

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/keystone-auth/keystone/bench/load"
)

// Answer is what a limit's process prints: one line of JSON.
type Answer struct {
	Addr string  `json:"addr,omitempty"` // serve: where it listens
	Rate float64 `json:"rate,omitempty"` // all others: operations a second
}

// Command runs one limit: serve, hash, own-hash, sign, rotate, insert or lite.
func Command(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("limits: name a limit: serve, hash, own-hash, sign, rotate, insert, lite")
	}
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	f.SetOutput(out)
	var (
		addr    = f.String("addr", "127.0.0.1:0", "serve: where to listen, on loopback")
		url     = f.String("postgres", "", "serve, rotate, insert: a database of its own")
		path    = f.String("sqlite", "", "lite: a file of its own")
		workers = f.Int("workers", 0, "hash: at once; rotate, insert: callers; lite: rows in a transaction")
		alg     = f.String("alg", "ES256", "sign: ES256 or RS256")
		d       = f.Duration("for", time.Second, "how long to measure")
	)
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	if args[0] == "serve" {
		return serve(ctx, *addr, *url, out)
	}
	var rate float64
	var err error
	switch args[0] {
	case "hash":
		rate, err = BareHash(ctx, *workers, *d)
	case "own-hash":
		rate, err = BareOwnHash(ctx, *workers, *d)
	case "sign":
		rate, err = BareSign(ctx, *alg, *d)
	case "rotate":
		rate, err = BareRotate(ctx, *url, *workers, *d)
	case "insert":
		rate, err = BareInsert(ctx, *url, *workers, *d)
	case "lite":
		rate, err = BareLite(ctx, *path, *workers, *d)
	default:
		err = fmt.Errorf("limits: there is no limit %q", args[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(Answer{Rate: rate})
}

func serve(ctx context.Context, addr, postgres string, out io.Writer) error {
	addr, err := load.Loopback(addr)
	if err != nil {
		return err
	}
	s, err := NewServer(ctx, postgres)
	if err != nil {
		return err
	}
	defer s.Close()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	if err := json.NewEncoder(out).Encode(Answer{Addr: l.Addr().String()}); err != nil {
		return err
	}
	return s.Serve(ctx, l)
}

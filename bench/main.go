// Command bench measures Keystone beside what the same machine can give at the
// same minute, and prints a table:
//
//	go run ./bench                 the whole table (scripts/bench.sh prepares what it needs)
//	go run ./bench load -op …      load a running server, on loopback only
//	go run ./bench limit NAME …    one bare limit
//
// It starts every server it measures as a process of its own, with every check,
// audit row and metric on, and reads from the operating system what that
// process, PostgreSQL and the machine have used.
//
// Start reading at rows.go, the list of what is measured; measure.go is how one
// row is measured, yardstick.go how its limit is carried to today.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/keystone-auth/keystone/bench/limits"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "load":
			return loadCommand(ctx, args[1:], os.Stdout)
		case "limit":
			return limits.Command(ctx, args[1:], os.Stdout)
		}
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	return table(ctx, o)
}

// options are the flags of the table.
type options struct {
	server   string            // the keystone binary
	postgres string            // a database server to make databases on; empty: without
	only     *regexp.Regexp    // names of rows; nil: all
	out      string            // file for the table besides standard output
	profiles string            // folder for CPU profiles; empty: none are taken
	set      map[string]string // more environment for the measured servers
	mode     mode
}

// mode is how long everything takes.
type mode struct {
	name   string
	runs   int           // of each main row; the median counts
	pace   float64       // durations are multiplied by it
	users  int           // in the lists
	chains time.Duration // that refresh chains are followed
}

func parse(args []string) (options, error) {
	o := options{mode: mode{name: "default", runs: 3, pace: 1, users: 100_000, chains: 15 * time.Second}, postgres: os.Getenv("TEST_POSTGRES_URL")}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.server, "server", "bin/keystone", "the binary to measure")
	f.StringVar(&o.out, "o", "", "also write the table to this `file`")
	f.StringVar(&o.profiles, "profile", "", "also save a CPU profile of the server for each row, in this `folder` (costs some speed)")
	f.Func("set", "`NAME=VALUE` for the measured servers besides their defaults, such as REDIS_URL=…; may repeat", func(s string) error {
		name, value, found := strings.Cut(s, "=")
		if !found || name == "" {
			return errors.New("write NAME=VALUE")
		}
		if o.set == nil {
			o.set = map[string]string{}
		}
		o.set[name] = value
		return nil
	})
	only := f.String("only", "", "measure only rows whose name fits this `regexp`")
	short := f.Bool("short", false, "one run each, less time: within 90 seconds")
	full := f.Bool("full", false, "1,000,000 users in the lists, chains for a minute")
	users := f.Int("users", 0, "users in the lists, 10,000 to 5,000,000")
	pace := f.Float64("pace", 0, "every duration times this, 0.1 to 10")
	runs := f.Int("runs", 0, "runs of each main row, 1 to 9; the median counts")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if *short {
		o.mode = mode{name: "short", runs: 1, pace: 0.35, users: 20_000, chains: 3 * time.Second}
	}
	if *full {
		o.mode.name, o.mode.users, o.mode.chains = "full", 1_000_000, time.Minute
	}
	if *users != 0 {
		o.mode.users = *users
	}
	if *runs != 0 {
		o.mode.runs = *runs
	}
	if *pace != 0 {
		o.mode.pace = *pace
	}
	switch {
	case f.NArg() > 0 || *short && *full:
		return o, fmt.Errorf("%v: see go run ./bench -help", args)
	case o.mode.users < 10_000 || o.mode.users > 5_000_000 || o.mode.runs < 1 || o.mode.runs > 9 || o.mode.pace < 0.1 || o.mode.pace > 10:
		return o, fmt.Errorf("10,000 to 5,000,000 users, 1 to 9 runs, a pace of 0.1 to 10")
	case o.postgres == "" && os.Getenv("CI") == "true":
		return o, fmt.Errorf("TEST_POSTGRES_URL is not set; run scripts/bench.sh")
	}
	if *only != "" {
		var err error
		if o.only, err = regexp.Compile("(?i)" + *only); err != nil {
			return o, err
		}
	}
	return o, nil
}

// Command keystone is Keystone: the server, and everything that is done to its
// database from the machine it runs on.
//
// It owns the words of the command line: flags, tables for people, JSON for
// scripts, exit codes. It decides nothing else. A command parses, calls the
// store (or the token room, for keys) with the operator as actor, and prints;
// so the command line meets the same rules and leaves the same audit rows as
// the API. Nothing secret is ever an argument: secrets come from standard
// input, or are generated and shown once.
//
// Start reading at command.go (the tree of commands, exit codes), then the
// file that is named like the command; serve.go starts the server.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker (see the Makefile).
var version = "dev"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is one run of the program. The first SIGINT or SIGTERM ends ctx, so that
// a command can finish what is in flight; the second ends the process the way
// it would have without us.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return execute(ctx, &app{in: in, out: out, err: errs}, args)
}

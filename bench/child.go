package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/keystone-auth/keystone/bench/limits"
)

// Bare limits run in processes of their own, made from this very binary.

// limit runs one bare limit to its end and returns what it reached.
func (b *bench) limit(ctx context.Context, name string, args ...string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.self, append([]string{"limit", name}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("bare limit %s: %w", name, err)
	}
	var answer limits.Answer
	if err := json.Unmarshal(out, &answer); err != nil {
		return 0, fmt.Errorf("bare limit %s: %w", name, err)
	}
	return answer.Rate, nil
}

// limitServer is the running server of bare limits.
type limitServer struct {
	addr string
	pid  int
	stop func()
}

// serveLimits starts the server of bare limits; with a PostgreSQL URL it has
// the endpoints that need one too.
func (b *bench) serveLimits(ctx context.Context, postgres string) (*limitServer, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, b.self, "limit", "serve", "-postgres", postgres)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("server of bare limits: %w", err)
	}
	stop := func() {
		cancel()
		_ = cmd.Wait() // it is killed, so it always says so
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var answer limits.Answer
	if err == nil {
		err = json.Unmarshal(line, &answer)
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("server of bare limits: %w", err)
	}
	return &limitServer{addr: answer.Addr, pid: cmd.Process.Pid, stop: stop}, nil
}

package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// restarts is how often a node is told to stop behind the balancer: -restarts=40 for some minutes.
var restarts = flag.Int("restarts", 6, "how often a node is told to stop while a balancer sends to it")

// TestAttackX20_BehindHAProxy: of two nodes behind HAProxy now one, now the other is told
// to stop and started again while programs get tokens as fast as they can. HAProxy does not
// repeat a POST of which it does not know what became: not one may be lost.
func TestAttackX20_BehindHAProxy(t *testing.T) {
	front, ports := freePort(t), [2]string{freePort(t), freePort(t)}
	m := newMachine(t, storetest.PostgresURL(t), "ISSUER=http://127.0.0.1:"+front, "TRUSTED_PROXIES=127.0.0.1/32")
	c := m.object("client", "create", "--name", "busy", "--kind", "service")
	client := url.Values{"client_id": {text(c["client_id"])}, "client_secret": {text(c["client_secret"])}, "grant_type": {"client_credentials"}}
	start := func(port string) *node {
		n := m.with("PORT=" + port).serve()
		// The balancer has asked twice: the first answer has made it send requests here.
		for deadline := time.Now().Add(20 * time.Second); strings.Count(n.log.String(), `"route":"/ready","status":200`) < 2; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the balancer does not ask:\n%s", n.log)
			}
		}
		return n
	}
	haproxy(t, front, ports[:])
	nodes := [2]*node{start(ports[0]), start(ports[1])}

	var served atomic.Int64
	over := make(chan struct{})
	var programs sync.WaitGroup
	stop := sync.OnceFunc(func() { close(over); programs.Wait() })
	defer stop()
	for range 24 {
		programs.Go(func() {
			caller := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}} // a connection of its own, kept open
			defer caller.CloseIdleConnections()
			for {
				select {
				case <-over:
					return
				default:
				}
				res, err := caller.PostForm("http://127.0.0.1:"+front+"/oauth2/token", client)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, res.Body) // or the connection would be closed
				if _ = res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("answered with %d, %v", res.StatusCode, err)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range *restarts {
		before := served.Load()
		if code := nodes[i%2].signal(syscall.SIGTERM); code != exitDone {
			t.Fatalf("SIGTERM: exit %d\n%s", code, nodes[i%2].log)
		}
		nodes[i%2] = start(ports[i%2])
		if served.Load() == before {
			t.Error("nothing was served meanwhile")
		}
	}
	stop()
	t.Logf("%d requests, %d restarts", served.Load(), *restarts)
}

// haproxy starts the balancer as docs/DEPLOYMENT.md has it, but that it asks more often, and sends
// whatever comes on connections that are open already.
func haproxy(t *testing.T, front string, ports []string) {
	t.Helper()
	config := "defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n timeout check 5s\n" +
		"frontend people\n bind 127.0.0.1:" + front + "\n default_backend keystone\n" +
		"backend keystone\n option httpchk GET /ready\n option forwardfor\n http-reuse always\n"
	for i, port := range ports {
		config += fmt.Sprintf(" server node%d 127.0.0.1:%s check inter 200ms fall 3 rise 1\n", i, port)
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	balancer := exec.Command(storetest.Program(t, "haproxy"), "-db", "-f", file)
	log := &output{}
	balancer.Stdout, balancer.Stderr = log, log
	if err := balancer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = balancer.Process.Kill()
		_ = balancer.Wait()
		if t.Failed() {
			t.Logf("HAProxy:\n%s", log)
		}
	})
}

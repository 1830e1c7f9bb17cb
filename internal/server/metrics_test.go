package server

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

func TestMetrics(t *testing.T) {
	s, _ := boot(t, []string{"RATE_LIMIT_API=1/hour"}, httpio.Plain("GET", "/t/{id}", httpio.Scope(keystone.UsersRead), httpio.LimitAPI, "x", echo))
	send(s, "GET", "/t/1", "", "Authorization: Bearer service")
	send(s, "GET", "/t/2", "", "Authorization: Bearer service")
	send(s, "GET", "/t/3", "", "Authorization: Bearer user")
	send(s, "INVENTED", "/t/4", "")
	send(s, "GET", "/nowhere", "")
	s.metrics.token(keystone.GrantClientCredentials, "issued")
	s.metrics.token("made up", "issued")
	s.metrics.token(keystone.GrantSignIn, "made up")
	s.metrics.token("made up", "made up")
	s.metrics.signIn("succeeded")
	s.metrics.signIn("made up")
	text := send(s.Management(), "GET", "/metrics", "").Body.String()
	for _, want := range []string{
		`keystone_http_requests_total{class="2xx",method="GET",route="/t/{id}"} 1`,
		`keystone_http_requests_total{class="4xx",method="GET",route="/t/{id}"} 2`,
		`keystone_http_requests_total{class="4xx",method="other",route="none"} 2`,
		`keystone_http_request_seconds_count{method="GET",route="/t/{id}"} 3`,
		`keystone_tokens_total{grant="client_credentials",result="issued"} 1`,
		`keystone_tokens_total{grant="other",result="issued"} 1`,
		`keystone_tokens_total{grant="sign_in",result="other"} 1`,
		`keystone_tokens_total{grant="other",result="other"} 1`,
		`keystone_sign_ins_total{result="succeeded"} 1`,
		`keystone_sign_ins_total{result="other"} 1`,
		`keystone_rate_limited_total{limit="api"} 1`,
		`keystone_access_denied_total 1`,
		`keystone_hash_slots_in_use 0`, `keystone_hash_waiting 0`,
		`keystone_pool_connections{state="max"}`, `keystone_pool_waits_total`,
		`keystone_cache_entries{cache="clients"}`, `keystone_commit_group_size_count`,
		`version="test"`, `go_goroutines`, `process_`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(text, "made up") || strings.Contains(text, "INVENTED") || strings.Contains(text, "nowhere") {
		t.Error("a caller can make time series")
	}
}

// TestMetricsBeginAtZero: what is counted by a closed list of values is there before
// the first of them happens, or increase() would miss that one.
func TestMetricsBeginAtZero(t *testing.T) {
	s, _ := boot(t, off)
	text := send(s.Management(), "GET", "/metrics", "").Body.String()
	for _, want := range []string{
		`keystone_outbound_requests_total{result="failed"} 0`, `keystone_outbound_requests_total{result="blocked"} 0`, `keystone_outbound_requests_total{result="ok"} 0`,
		`keystone_swept_rows_total{table="sessions"} 0`, `keystone_swept_rows_total{table="audit"} 0`, `keystone_swept_rows_total{table="single_use"} 0`,
		`keystone_sign_ins_total{result="limited"} 0`, `keystone_panics_total 0`, `keystone_traces_dropped_total 0`,
		`keystone_ready 1`, `keystone_database_up 1`, `keystone_signing_key_age_seconds `,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("missing: %s", want)
		}
	}
	for _, one := range s.jobList() {
		for _, result := range jobResults {
			if want := `keystone_job_runs_total{job="` + one.name + `",result="` + result + `"} 0`; !strings.Contains(text, "\n"+want) {
				t.Errorf("missing: %s", want)
			}
		}
	}
	removed, err := s.Sweep(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for table := range removed {
		if !strings.Contains(text, `{table="`+table+`"} 0`) {
			t.Errorf("%s is swept and not counted from the start", table)
		}
	}
	for _, absent := range []string{"keystone_redis_up", "keystone_tls_certificate"} {
		if strings.Contains(text, "\n"+absent) {
			t.Errorf("%s without Redis and TLS", absent)
		}
	}
}

// TestMetricsOfTheNode: what fails shows.
func TestMetricsOfTheNode(t *testing.T) {
	certFile, keyFile := writeCertificate(t, t.TempDir(), 1)
	s, _ := boot(t, with("TLS_CERT_FILE="+certFile, "TLS_KEY_FILE="+keyFile, "REDIS_URL=redis://127.0.0.1:1"))
	says := func(lines ...string) {
		t.Helper()
		text := send(s.Management(), "GET", "/metrics", "").Body.String()
		for _, want := range lines {
			if !strings.Contains(text, "\n"+want+"\n") {
				t.Errorf("the metrics do not say %s", want)
			}
		}
	}
	expires := strconv.FormatFloat(float64(s.certificate.current.Load().Leaf.NotAfter.Unix()), 'g', -1, 64)
	says("keystone_ready 1", "keystone_database_up 1", "keystone_redis_up 0", "keystone_tls_certificate_expires_timestamp_seconds "+expires)
	s.health.at = time.Time{}
	s.health.ping = func(context.Context) error { return errors.New("away") }
	says("keystone_ready 0", "keystone_database_up 0")
	s.health.at = time.Time{}
	s.health.ping = func(context.Context) error { return nil }
	s.health.draining.Store(true)
	says("keystone_ready 0", "keystone_database_up 1")
	if len(s.health.probers.known) != 0 {
		t.Error("reading metrics counts as a load balancer that has seen the end")
	}
}

// TestLimitedSignIns: a sign-in that the limit of its route refuses is counted as one.
func TestLimitedSignIns(t *testing.T) {
	s, _ := boot(t, []string{"RATE_LIMIT_LOGIN=1/hour"})
	for range 3 {
		send(s, "POST", "/api/v1/auth/login", `{"username":"jane","password":"x"}`, "Content-Type: application/json")
	}
	send(s, "POST", "/login", "login=jane&password=x", "Content-Type: application/x-www-form-urlencoded")
	send(s, "POST", "/api/v1/auth/reset-password", `{"token":"x","password":"y"}`, "Content-Type: application/json") // which is no sign-in
	text := send(s.Management(), "GET", "/metrics", "").Body.String()
	for _, want := range []string{`keystone_sign_ins_total{result="limited"} 3`, `keystone_sign_ins_total{result="refused"} 1`, `keystone_rate_limited_total{limit="login"} 4`} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
}

package server

import (
	"strings"
	"testing"

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

package server

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
)

// metrics are what Prometheus reads. Every label has a closed list of values, so
// that no caller can make time series; the handles of hot paths are looked up
// once, here.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	unmatched routeMetrics
	tokens    map[[2]string]prometheus.Counter
	signIns   map[string]prometheus.Counter
	limited   map[httpio.Limit]prometheus.Counter
	batch     prometheus.Histogram
	swept     *prometheus.CounterVec
	jobs      *prometheus.CounterVec
	panics    prometheus.Counter
	denials   prometheus.Counter
	outbound  *prometheus.CounterVec
	untraced  prometheus.Counter
	notices   *prometheus.CounterVec
	pings     *prometheus.CounterVec
}

// other stands for every value that is not on a label's list.
const other = "other"

var (
	classes     = []string{"1xx", "2xx", "3xx", "4xx", "5xx"}
	grantTypes  = append(keystone.GrantNames(nil), keystone.GrantSignIn, other)
	tokenResult = []string{"issued", "refused", "waiting", "failed", other}
	signResults = []string{"succeeded", "refused", "limited", "invalid", "failed", other}
	jobResults  = []string{"done", "failed", "panicked"}
	outResults  = []string{"ok", "failed", "blocked"}
)

func newMetrics(version string) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keystone_http_requests_total", Help: "Requests by route, method and class of status."}, []string{"route", "method", "class"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "keystone_http_request_seconds", Help: "Time to answer, by route and method.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"route", "method"}),
		batch:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "keystone_commit_group_size", Help: "Writes that shared one commit.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}}),
		swept:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keystone_swept_rows_total", Help: "Rows removed after their retention, by table."}, []string{"table"}),
		jobs:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keystone_job_runs_total", Help: "Runs of background jobs, by job and result."}, []string{"job", "result"}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Name: "keystone_panics_total", Help: "Handlers and jobs that panicked."}),
		outbound: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keystone_outbound_requests_total", Help: "Requests to other servers by result: ok, failed, blocked (not a public address)."}, []string{"result"}),
		notices:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keystone_logout_notices_total", Help: "Attempts to tell a client of a session that has ended, by result."}, []string{"result"}),
		pings:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keystone_backchannel_pings_total", Help: "Attempts to tell a client that a person has answered its request (CIBA), by result."}, []string{"result"}),
		denials:  prometheus.NewCounter(prometheus.CounterOpts{Name: "keystone_access_denied_total", Help: "Requests of known actors that were refused for want of a right."}),
		untraced: prometheus.NewCounter(prometheus.CounterOpts{Name: "keystone_traces_dropped_total", Help: "Refused requests that cannot be explained later: there were too many, or the database was away."}),
		tokens:   map[[2]string]prometheus.Counter{}, signIns: map[string]prometheus.Counter{}, limited: map[httpio.Limit]prometheus.Counter{},
	}
	tokens := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keystone_tokens_total", Help: "Requests for tokens by grant type and result."}, []string{"grant", "result"})
	for _, g := range grantTypes {
		for _, r := range tokenResult {
			m.tokens[[2]string{g, r}] = tokens.WithLabelValues(g, r)
		}
	}
	signIns := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keystone_sign_ins_total", Help: "Sign-ins by result."}, []string{"result"})
	for _, r := range signResults {
		m.signIns[r] = signIns.WithLabelValues(r)
	}
	limited := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keystone_rate_limited_total", Help: "Requests refused by a rate limit, by limit."}, []string{"limit"})
	for _, l := range []httpio.Limit{httpio.LimitLogin, httpio.LimitRegister, httpio.LimitClients, httpio.LimitAPI, httpio.LimitPage, httpio.LimitToken, httpio.LimitGuesses} {
		m.limited[l] = limited.WithLabelValues(string(l))
	}
	// A counter that begins with its first failure shows that one to nobody: increase()
	// needs the 0 before it.
	for _, r := range noticeResults {
		m.notices.WithLabelValues(r)
		m.pings.WithLabelValues(r)
	}
	for _, r := range outResults {
		m.outbound.WithLabelValues(r)
	}
	for _, table := range append(store.SweptTables(), sweptKeys, sweptRegistrations, sweptAudit) {
		m.swept.WithLabelValues(table)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "keystone_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()}})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.latency, m.batch, m.swept, m.jobs, m.panics, m.denials, m.untraced, m.outbound, m.notices, m.pings, tokens, signIns, limited, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.unmatched = m.resolve("none", other)
	return m
}

// routeMetrics are the handles of one route.
type routeMetrics struct {
	classes [5]prometheus.Counter
	latency prometheus.Observer
}

func (m *metrics) route(rt httpio.Route) routeMetrics { return m.resolve(rt.Path, rt.Method) }

func (m *metrics) resolve(route, method string) (r routeMetrics) {
	for i, class := range classes {
		r.classes[i] = m.requests.WithLabelValues(route, method, class)
	}
	r.latency = m.latency.WithLabelValues(route, method)
	return r
}

func (r *routeMetrics) observe(status int, took time.Duration) {
	r.classes[min(max(status/100, 1), 5)-1].Inc()
	r.latency.Observe(took.Seconds())
}

// token counts one request for a token.
func (m *metrics) token(grantType, result string) {
	c, ok := m.tokens[[2]string{grantType, result}]
	if !ok {
		if _, known := m.tokens[[2]string{grantType, other}]; !known {
			grantType = other
		}
		if c, ok = m.tokens[[2]string{grantType, result}]; !ok {
			c = m.tokens[[2]string{grantType, other}]
		}
	}
	c.Inc()
}

// signIn counts one sign-in.
func (m *metrics) signIn(result string) {
	c, ok := m.signIns[result]
	if !ok {
		c = m.signIns[other]
	}
	c.Inc()
}

// jobsOf counts the runs of these jobs from 0 on.
func (m *metrics) jobsOf(list []job) {
	for _, one := range list {
		for _, r := range jobResults {
			m.jobs.WithLabelValues(one.name, r)
		}
	}
}

// watch adds what is read from the parts when Prometheus asks.
func (m *metrics) watch(s *store.Store, hashes func() (inUse, waiting int)) {
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	gauge("keystone_hash_slots_in_use", "Passwords being hashed.", func() float64 { n, _ := hashes(); return float64(n) })
	gauge("keystone_hash_waiting", "Passwords that wait for a slot.", func() float64 { _, n := hashes(); return float64(n) })
	m.registry.MustRegister(storeCollector{s})
	s.ObserveGroups(func(size int) { m.batch.Observe(float64(size)) })
}

// handler serves the metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// storeCollector reads the store's own counts.
type storeCollector struct{ s *store.Store }

var (
	poolDesc   = prometheus.NewDesc("keystone_pool_connections", "Connections to the database by state.", []string{"state"}, nil)
	waitedDesc = prometheus.NewDesc("keystone_pool_waits_total", "Times a request had to wait for a connection.", nil, nil)
	tailDesc   = prometheus.NewDesc("keystone_audit_unsealed", "Audit rows that are not sealed yet. It grows where no node seals.", nil, nil)
	outboxDesc = prometheus.NewDesc("keystone_outbox_waiting", "Messages that wait to be delivered.", nil, nil)
	oldestDesc = prometheus.NewDesc("keystone_outbox_oldest_seconds", "Age of the oldest message that waits to be delivered; 0: none waits.", nil, nil)
	deadDesc   = prometheus.NewDesc("keystone_outbox_given_up", "Messages that were given up and are kept for 30 days: keystone outbox list.", nil, nil)
	cacheDesc  = prometheus.NewDesc("keystone_cache_entries", "Entries of the read-through caches.", []string{"cache"}, nil)
)

// Describe lists what Collect gives.
func (c storeCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- poolDesc
	ch <- waitedDesc
	ch <- cacheDesc
	ch <- tailDesc
	ch <- outboxDesc
	ch <- oldestDesc
	ch <- deadDesc
}

// Collect reads the counts.
func (c storeCollector) Collect(ch chan<- prometheus.Metric) {
	p := c.s.Pool()
	for state, n := range map[string]int{"in_use": p.InUse, "idle": p.Idle, "max": p.Max} {
		ch <- prometheus.MustNewConstMetric(poolDesc, prometheus.GaugeValue, float64(n), state)
	}
	ch <- prometheus.MustNewConstMetric(waitedDesc, prometheus.CounterValue, float64(p.Waited))
	for name, n := range c.s.Caches() {
		ch <- prometheus.MustNewConstMetric(cacheDesc, prometheus.GaugeValue, float64(n), name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	b, err := c.s.Backlog(ctx)
	if err != nil {
		return // without a database there is nothing to say; keystone_database_up tells of it
	}
	ch <- prometheus.MustNewConstMetric(tailDesc, prometheus.GaugeValue, float64(b.Unsealed))
	ch <- prometheus.MustNewConstMetric(outboxDesc, prometheus.GaugeValue, float64(b.Outbox))
	ch <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, b.Oldest.Seconds())
	ch <- prometheus.MustNewConstMetric(deadDesc, prometheus.GaugeValue, float64(b.Dead))
}

// nodeCollector says how this node is.
type nodeCollector struct{ s *Server }

var (
	readyDesc    = prometheus.NewDesc("keystone_ready", "1: this node should get requests; 0: it should not (/ready says why).", nil, nil)
	databaseDesc = prometheus.NewDesc("keystone_database_up", "1: the database answers this node.", nil, nil)
	redisDesc    = prometheus.NewDesc("keystone_redis_up", "1: rate limits are shared through Redis; 0: it does not answer, and this node counts alone. Only with REDIS_URL.", nil, nil)
	tlsDesc      = prometheus.NewDesc("keystone_tls_certificate_expires_timestamp_seconds", "When the certificate ends that is served. Only with TLS_CERT_FILE.", nil, nil)
	keyAgeDesc   = prometheus.NewDesc("keystone_signing_key_age_seconds", "How long the oldest key that signs now has signed. At KEY_ROTATION_DAYS it gets a successor.", nil, nil)
)

// Describe lists what Collect gives.
func (c nodeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{readyDesc, databaseDesc, redisDesc, tlsDesc, keyAgeDesc} {
		ch <- d
	}
}

// Collect looks.
func (c nodeCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	database, err := c.s.health.state(ctx)
	gauge(readyDesc, oneIf(err == nil))
	gauge(databaseDesc, oneIf(database))
	if c.s.config.RedisURL.IsSet() {
		gauge(redisDesc, oneIf(c.s.counter.Shared()))
	}
	if c.s.certificate != nil {
		gauge(tlsDesc, float64(c.s.certificate.current.Load().Leaf.NotAfter.Unix()))
	}
	if age, ok := c.s.parts.Ring.Age(ctx); ok {
		gauge(keyAgeDesc, age.Seconds())
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

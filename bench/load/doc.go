// Package load asks one server as many questions as it can answer, over a fixed
// number of kept-alive connections, each with one request in flight.
//
// It is bounded in requests and time, talks to loopback only, and is cheap: a
// request costs it one write, one read and a few bytes compared, because it
// shares the processors with the server that it measures. It knows HTTP/1.1 and
// nothing of Keystone.
//
// Start reading at Plan and Run in run.go; conn.go is the client, histogram.go
// the latencies.
package load

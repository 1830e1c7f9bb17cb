package ephemeral

import (
	"net/url"
	"strings"
	"testing"
)

// TestProbe: a Redis that counts passes; one that is not there, or refuses the
// password, is said without the password.
func TestProbe(t *testing.T) {
	good := redisURL(t)
	if err := Probe(Options{RedisURL: good}); err != nil {
		t.Errorf("a good Redis: %v", err)
	}
	bad, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	bad.User = url.UserPassword("keystone", "canary7391")
	for _, o := range []Options{
		{RedisURL: bad.String()},
		{RedisURL: "redis://127.0.0.1:1/0", RedisPassword: "canary7391"},
		{RedisURL: "http://127.0.0.1/"},
	} {
		if err := Probe(o); err == nil || strings.Contains(err.Error(), "canary7391") {
			t.Errorf("Probe(%q): %v", o.RedisURL, err)
		}
	}
}

package server

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestSource(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, test := range map[string]struct {
		peer      string
		forwarded []string
		other     http.Header
		want      string
	}{
		"direct":                       {peer: "192.0.2.1:5", want: "192.0.2.1"},
		"IPv6":                         {peer: "[2001:db8::1]:5", want: "2001:db8::1"},
		"zone":                         {peer: "[fe80::1%eth0]:5", want: "fe80::1"},
		"mapped":                       {peer: "[::ffff:192.0.2.1]:5", want: "192.0.2.1"},
		"untrusted peer claims":        {peer: "192.0.2.1:5", forwarded: []string{"1.2.3.4"}, want: "192.0.2.1"},
		"one proxy":                    {peer: "10.0.0.1:5", forwarded: []string{"198.51.100.7"}, want: "198.51.100.7"},
		"mapped proxy":                 {peer: "[::ffff:10.0.0.1]:5", forwarded: []string{"198.51.100.7"}, want: "198.51.100.7"},
		"caller claims more":           {peer: "10.0.0.1:5", forwarded: []string{"1.2.3.4, 198.51.100.7"}, want: "198.51.100.7"},
		"two proxies":                  {peer: "10.0.0.1:5", forwarded: []string{"1.2.3.4, 198.51.100.7, 10.9.9.9"}, want: "198.51.100.7"},
		"two lines":                    {peer: "10.0.0.1:5", forwarded: []string{"1.2.3.4, 198.51.100.7", "10.9.9.9"}, want: "198.51.100.7"},
		"last line is the nearest":     {peer: "10.0.0.1:5", forwarded: []string{"1.2.3.4", "198.51.100.7"}, want: "198.51.100.7"},
		"nothing forwarded":            {peer: "10.0.0.1:5", want: "10.0.0.1"},
		"empty":                        {peer: "10.0.0.1:5", forwarded: []string{""}, want: "10.0.0.1"},
		"only proxies":                 {peer: "10.0.0.1:5", forwarded: []string{"10.0.0.3, 10.0.0.2"}, want: "10.0.0.3"},
		"rubbish":                      {peer: "10.0.0.1:5", forwarded: []string{"1.2.3.4, rubbish"}, want: "10.0.0.1"},
		"rubbish behind a proxy":       {peer: "10.0.0.1:5", forwarded: []string{"rubbish, 10.0.0.2"}, want: "10.0.0.2"},
		"trailing comma":               {peer: "10.0.0.1:5", forwarded: []string{"1.2.3.4,"}, want: "10.0.0.1"},
		"with a port":                  {peer: "10.0.0.1:5", forwarded: []string{"198.51.100.7:4711"}, want: "198.51.100.7"},
		"IPv6 forwarded":               {peer: "[fd00::1]:5", forwarded: []string{"2001:db8::7"}, want: "2001:db8::7"},
		"IPv6 in brackets":             {peer: "[fd00::1]:5", forwarded: []string{"[2001:db8::7]"}, want: "2001:db8::7"},
		"IPv6 in brackets with a port": {peer: "[fd00::1]:5", forwarded: []string{"[2001:db8::7]:4711"}, want: "2001:db8::7"},
		"mapped forwarded":             {peer: "10.0.0.1:5", forwarded: []string{"::ffff:198.51.100.7"}, want: "198.51.100.7"},
		"unix socket":                  {peer: "@", forwarded: []string{"1.2.3.4"}, want: ""},
		"other headers are nothing":    {peer: "10.0.0.1:5", other: http.Header{"X-Real-Ip": {"1.2.3.4"}, "Forwarded": {"for=1.2.3.4"}, "X_forwarded_for": {"1.2.3.4"}, "X-Client-Ip": {"1.2.3.4"}}, want: "10.0.0.1"},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{}}
		for k, v := range test.other {
			r.Header[k] = v
		}
		if test.forwarded != nil {
			r.Header["X-Forwarded-For"] = test.forwarded
		}
		if got := (sources{trusted}).of(r); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		if got := (sources{}).of(r); test.peer == "10.0.0.1:5" && got != "10.0.0.1" {
			t.Errorf("%s, nobody trusted: %q", name, got)
		}
	}
	long := &http.Request{RemoteAddr: "10.0.0.1:5", Header: http.Header{}}
	for range 1000 {
		long.Header.Add("X-Forwarded-For", "10.0.0.2, 10.0.0.3")
	}
	if got := (sources{trusted}).of(long); got == "" {
		t.Error("a long header gives no source")
	}
}

// FuzzSource: no header makes it panic, and an untrusted peer is never anything
// but itself.
func FuzzSource(f *testing.F) {
	f.Add("10.0.0.1:5", "1.2.3.4, [::1]:5")
	f.Add("192.0.2.1:5", "1.2.3.4")
	trusted := sources{[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {forwarded}}}
		got := trusted.of(r)
		if bare := peerOf(r); !trusted.trusts(bare.addr) && got != bare.text {
			t.Fatalf("%q with %q: %q", peer, forwarded, got)
		}
	})
}

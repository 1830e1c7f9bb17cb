package keystone

import "testing"

func TestOutboundURLProblem(t *testing.T) {
	for _, s := range []string{"https://app.example.com/jwks.json", "https://app.example.com:8443/a?b=c#d", "https://192.0.2.7/", "https://[2001:db8::1]/", "https://localhost/", "https://example.com."} {
		if why := OutboundURLProblem(s); why != "" {
			t.Errorf("%s: %s", s, why)
		}
	}
	for _, s := range []string{
		"", "/jwks", "http://app.example.com/", "HTTPS//x", "https:app.example.com", "https://", "https:///x", "https://u:p@app.example.com/", "https://app..example.com/",
		"https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/", "https://1.2.3.0x4/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/",
		"https://a b/", "https://a\\@b/", "https://ünicode.example/", "https://x/\x00", "javascript:alert(1)", "file:///etc/passwd", "https://.example.com/",
		"https://*.example.com/", "https://app.*.example/", "https://{host}.example/", "https://$host/", "https://app!.example/",
	} {
		if OutboundURLProblem(s) == "" {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestOrigin(t *testing.T) {
	for uri, want := range map[string]string{
		"https://app.example/cb": "https://app.example", "https://App.Example:443/": "https://app.example", "https://App.Example": "https://app.example", "http://localhost:80/": "http://localhost", "https://app.example:8443/x?y": "https://app.example:8443",
		"http://[::1]:3000/cb": "http://[::1]:3000", "http://127.0.0.1/cb": "http://127.0.0.1", "com.example.app:/cb": "", "https:///x": "", "javascript:alert(1)": "", "": "", "%": "",
	} {
		if got := Origin(uri); got != want {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
}

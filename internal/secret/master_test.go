package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParseMasterKey(t *testing.T) {
	good := NewMasterKey()
	b := good.bytes()
	half := bytes.Repeat(b[:16], 2)
	steps, pairs := make([]byte, 32), make([]byte, 32)
	for i := range steps {
		steps[i] = byte(250 + 3*i)
		pairs[i] = b[i%3]
	}
	std := base64.StdEncoding.EncodeToString
	for _, test := range []struct{ name, text, want string }{
		{"standard, padded", std(b), ""},
		{"standard, raw", base64.RawStdEncoding.EncodeToString(b), ""},
		{"URL, padded", base64.URLEncoding.EncodeToString(b), ""},
		{"URL, raw", base64.RawURLEncoding.EncodeToString(b), ""},
		{"with a line end", std(b) + "\r\n", ""},
		{"empty", "", "empty"},
		{"spaces", " \n", "empty"},
		{"not base64", "not base64!", "not base64"},
		{"unused bits set", base64.RawStdEncoding.EncodeToString(make([]byte, 32))[:42] + "B", "not base64"},
		{"31 bytes", std(b[:31]), "31 bytes"},
		{"33 bytes", std(append(b[:32:32], 1)), "33 bytes"},
		{"hexadecimal", fmt.Sprintf("%x", b), "48 bytes"},
		{"zero", std(make([]byte, 32)), "not random"},
		{"one byte repeated", std(bytes.Repeat([]byte{0xa7}, 32)), "not random"},
		{"three bytes repeated", std(pairs), "not random"},
		{"two equal halves", std(half), "not random"},
		{"counting", std(steps), "not random"},
		{"a phrase", std([]byte("correct horse battery staple 42!")), "not random"},
	} {
		k, err := ParseMasterKey(test.text)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want == "" && !Equal(k.bytes(), b):
			t.Errorf("%s: another key came out", test.name)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want an error with %q", test.name, err, test.want)
		case test.want != "" && !k.IsZero():
			t.Errorf("%s: a key beside an error", test.name)
		case err != nil && len(test.text) > 20 && strings.Contains(err.Error(), test.text[:8]):
			t.Errorf("%s: the error repeats the key", test.name)
		}
	}
}

func TestMasterKeyNeverPrintsItself(t *testing.T) {
	k := NewMasterKey()
	holder := struct {
		Public  MasterKey
		private MasterKey
		mac     *MAC
		refresh *RefreshTokens
	}{k, k, k.MAC("x"), k.RefreshTokens()}

	var out bytes.Buffer
	for _, v := range []any{k, &k, holder, &holder, []MasterKey{k}, map[string]MasterKey{"k": k}, holder.mac, holder.refresh} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("started", "key", k, "pointer", &k, "holder", holder)
	}
	printed := strings.ToLower(out.String())
	if !strings.Contains(printed, redacted) {
		t.Fatal("nothing was printed at all")
	}
	b := k.bytes()
	for name, form := range map[string]string{
		"base64":      k.Encode()[:12],
		"hexadecimal": fmt.Sprintf("%x", b[:4]),
		"decimal":     fmt.Sprintf("%d %d %d", b[0], b[1], b[2]),
		"Go":          fmt.Sprintf("%#x, %#x, %#x", b[0], b[1], b[2]),
		"JSON list":   fmt.Sprintf("%d,%d,%d", b[0], b[1], b[2]),
	} {
		if strings.Contains(printed, strings.ToLower(form)) {
			t.Errorf("the key is shown as %s: %q", name, form)
		}
	}
}

func TestMasterKeyID(t *testing.T) {
	k, other := NewMasterKey(), NewMasterKey()
	if k.ID() != k.ID() || len(k.ID()) != 16 {
		t.Error("the id changes, or is not 16 digits")
	}
	if k.ID() == other.ID() {
		t.Error("two keys share an id")
	}
}

func TestZeroMasterKey(t *testing.T) {
	var k MasterKey
	if !k.IsZero() || NewMasterKey().IsZero() {
		t.Error("IsZero is wrong")
	}
	if fmt.Sprint(k) != redacted {
		t.Error("the zero key prints as something else")
	}
	if _, err := k.Seal("p", []byte("x")); err == nil {
		t.Error("sealed under no key")
	}
	if _, err := k.Open("p", []byte{sealVersion, 1}); err == nil {
		t.Error("opened under no key")
	}
	for name, use := range map[string]func(){
		"Encode": func() { _ = k.Encode() }, "ID": func() { _ = k.ID() },
		"MAC": func() { k.MAC("p") }, "RefreshTokens": func() { k.RefreshTokens() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s works without a key", name)
				}
			}()
			use()
		}()
	}
}

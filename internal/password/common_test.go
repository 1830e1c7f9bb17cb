package password

import (
	"crypto/rand"
	"encoding/hex"
	"testing"
)

func TestCommonList(t *testing.T) {
	n := len(commonPrefixes) / prefixSize
	if n < 50_000 || len(commonPrefixes)%prefixSize != 0 {
		t.Fatalf("%d passwords and %d bytes, want 50,000 or more and none", n, len(commonPrefixes)%prefixSize)
	}
	for i := prefixSize; i < len(commonPrefixes); i += prefixSize {
		if commonPrefixes[i-prefixSize:i] >= commonPrefixes[i:i+prefixSize] {
			t.Fatalf("not sorted at %d", i/prefixSize)
		}
	}
}

func TestCommon(t *testing.T) {
	for _, password := range []string{
		"password", "PASSWORD", "12345678", "qwertyuiop", "password1234", "iloveyou1234", "passwordpassword", "123456789012", "administrator",
		"1qaz2wsx3edc", "iloveyouverymuch",
	} {
		if !isCommon(password) {
			t.Errorf("%s is not known as common", password)
		}
	}
	for _, password := range []string{"", "correct horse battery staple", "пароль-длинный", "Xk9$w2Qz", "password1234 and more"} {
		if isCommon(password) {
			t.Errorf("%s counts as common", password)
		}
	}
	// Random ones: a false alarm is as likely as one in five thousand million.
	for range 100_000 {
		var b [8]byte
		rand.Read(b[:])
		if s := hex.EncodeToString(b[:]); isCommon(s) {
			t.Errorf("%s counts as common", s)
		}
	}
	if n := testing.AllocsPerRun(100, func() { isCommon("correct horse battery staple") }); n > 2 {
		t.Errorf("a look-up allocates %v times", n)
	}
}

package server

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/secret"
)

// TestStartRefuses: what is wrong is said before anything listens.
func TestStartRefuses(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.MkdirAll(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(open, "master.key"), []byte(secret.NewMasterKey().Encode()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(open, "master.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"key file that others read (S6)": {[]string{"DATA_DIR=" + open}, "chmod 600"},
		"database that is a folder":      {[]string{"DATABASE_URL=" + dir}, ""},
		"database that is away":          {[]string{"DATABASE_URL=postgres://x:y@127.0.0.1:1/z", "MASTER_KEY=" + secret.NewMasterKey().Encode()}, ""},
		"strangers at own scopes":        {[]string{"CLIENT_REGISTRATION_SCOPES=openid,users:read"}, "CLIENT_REGISTRATION_SCOPES"},
		"resource that is no address":    {[]string{`CLIENT_REGISTRATION_AUDIENCES=["a b"]`}, "CLIENT_REGISTRATION_AUDIENCES"},
		"statements with keys at http":   {[]string{"SOFTWARE_STATEMENT_ISSUERS=https://a.example=http://a.example/jwks"}, "SOFTWARE_STATEMENT_ISSUERS"},
		"redis that is no address":       {[]string{"REDIS_URL=redis://127.0.0.1:6379/x"}, "REDIS_URL"},
	} {
		c, err := tryServer(t, test.env)
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "y@") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := tryServer(t, []string{"MASTER_KEY=" + secret.NewMasterKey().Encode()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.config.MasterKeyFile()); err == nil {
		t.Error("a key file is made although MASTER_KEY is set")
	}
	s.Close()
}

func tryServer(t *testing.T, env []string) (s *Server, err error) {
	t.Helper()
	c, err := trySettings(t, env...)
	if err != nil {
		return nil, err
	}
	return New(context.Background(), c, Options{})
}

// TestMinLengthHasOneBound: what PASSWORD_MIN_LENGTH may be is said twice, where
// settings are read and where passwords are judged, because neither room knows
// the other. Both say the same.
func TestMinLengthHasOneBound(t *testing.T) {
	accepted := 0
	for n := 1; n <= 200; n++ {
		_, read := config.Load(config.Options{Environ: []string{"PASSWORD_MIN_LENGTH=" + strconv.Itoa(n)}, Dir: t.TempDir()})
		_, judged := password.NewPolicy("modern", password.Overrides{MinLength: n})
		if (read == nil) != (judged == nil) {
			t.Errorf("%d: settings say %v, the policy says %v", n, read, judged)
		}
		if read == nil {
			accepted++
		}
	}
	if accepted != 64-8+1 {
		t.Errorf("%d lengths are accepted", accepted)
	}
}

// TestHashingIsNoSetting: what a password hash costs is fixed; no setting makes
// it cheaper, because only a test can ask for that.
func TestHashingIsNoSetting(t *testing.T) {
	s, err := tryServer(t, []string{"DATA_DIR=" + t.TempDir(), "PASSWORD_PROFILE=seed", "DEBUG=true", "HASH_SLOTS=1", "HASH_QUEUE=1"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	phc, err := s.Parts().Hasher.Hash(context.Background(), "a good password for tests")
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("%.40s %v", phc, err)
	}
}

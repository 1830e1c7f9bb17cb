package config

import "testing"

// TestSQLiteFile: the file that each form of DATABASE_URL names, as SQLAlchemy reads it,
// and never one in the root folder that nobody meant.
func TestSQLiteFile(t *testing.T) {
	for address, want := range map[string]string{
		"x.db": "x.db", "./x.db": "./x.db", "/var/x.db": "/var/x.db", "with?mark.db": "with?mark.db",
		"sqlite:x.db": "x.db", "sqlite:./x.db": "./x.db", "sqlite:/var/x.db": "/var/x.db", "sqlite:/x.db": "/x.db",
		"sqlite://x.db": "x.db", "sqlite://./x.db": "./x.db",
		"sqlite:///x.db": "x.db", "sqlite:///./x.db": "./x.db", "sqlite:///../x.db": "../x.db", "sqlite:///./a/../x.db": "./a/../x.db", "sqlite:///.x.db": ".x.db",
		"sqlite:///var/lib/x.db": "/var/lib/x.db", "sqlite:////var/lib/x.db": "/var/lib/x.db", "sqlite:////x.db": "/x.db", "sqlite:///.hidden/x.db": "/.hidden/x.db",
		"sqlite+aiosqlite:///./x.db": "./x.db", "sqlite+pysqlite:///x.db": "x.db", "sqlite+aiosqlite:////var/x.db": "/var/x.db",
		"sqlite:///./with%41percent.db": "./with%41percent.db", "sqlite:///./ünï code.db": "./ünï code.db",
	} {
		c, err := load(t, t.TempDir(), "DATABASE_URL="+address)
		if err != nil || c.SQLitePath() != want || c.DatabaseURL.Reveal() != want || c.Postgres() {
			t.Errorf("%s: %v, not %s", address, err, want)
		}
	}
}

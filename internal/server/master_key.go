package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/secret"
)

// ErrNoMasterKey is said where there is a database and no key to it.
var ErrNoMasterKey = errors.New("There is a database, but no master key to it. Put the key back that it was made with.")

// MasterKey takes the key from the settings or, with SQLite, from the key file. That
// file is made only together with its database: under a new key nothing would open
// that an old database holds, and what is written under it would be lost with it.
func MasterKey(c *config.Config) (secret.MasterKey, error) {
	if c.MasterKey.IsSet() {
		key, err := secret.ParseMasterKey(c.MasterKey.Reveal())
		if err != nil {
			return key, fmt.Errorf("MASTER_KEY: %w", err)
		}
		return key, nil
	}
	if c.Postgres() {
		return secret.MasterKey{}, fmt.Errorf("MASTER_KEY is not set: with PostgreSQL every node needs the same one, that of the database; for a new database make it with `openssl rand -base64 32`")
	}
	begins, err := NewDatabase(c)
	if err != nil {
		return secret.MasterKey{}, err
	}
	key, err := secret.LoadOrCreateMasterKey(c.MasterKeyFile(), begins)
	if !begins && errors.Is(err, fs.ErrNotExist) {
		return key, fmt.Errorf("%w (%s is missing)", ErrNoMasterKey, c.MasterKeyFile())
	}
	return key, err
}

// NewDatabase reports whether the settings name a SQLite database that is not there
// yet, or is empty, as a start leaves it that is cut at once.
func NewDatabase(c *config.Config) (bool, error) {
	if c.Postgres() {
		return false, nil
	}
	info, err := os.Stat(c.SQLitePath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case errors.Is(err, fs.ErrPermission):
		return false, fmt.Errorf("This user may not look at the database: %w. Run it as the user of the service", err)
	case err != nil:
		return false, fmt.Errorf("The database cannot be looked at: %w; check DATABASE_URL and DATA_DIR", err)
	}
	return info.Size() == 0, nil
}

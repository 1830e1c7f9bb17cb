package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/server"
)

// files checks who may read what nobody else should. Files with secrets in them are
// among the warnings of the settings.
func (d *doctor) files() {
	private := []string{d.cfg.DataDir}
	if !d.cfg.Postgres() {
		private = append(private, d.cfg.SQLitePath())
	}
	for _, path := range private {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// What must be there is missed by the check that needs it.
		case err != nil:
			d.fail("files", "%s cannot be looked at: %v", path, err)
		case info.Mode().Perm()&0o007 != 0 && runtime.GOOS != "windows":
			d.warn("files", "%s may be used by everybody on this machine (mode %04o). Run: chmod o-rwx %s", path, info.Mode().Perm(), path)
		default:
			d.ok("files", "%s is not open to everybody (mode %04o).", path, info.Mode().Perm())
		}
	}
}

// masterKey reads the key that is there, and makes none.
func (d *doctor) masterKey() (secret.MasterKey, bool) {
	if d.cfg.MasterKey.IsSet() {
		key, err := secret.ParseMasterKey(d.cfg.MasterKey.Reveal())
		if err != nil {
			d.fail("master key", "MASTER_KEY: %v", err)
			return key, false
		}
		d.ok("master key", "MASTER_KEY is set; its id is %s, which must be the same on every node.", key.ID())
		return key, true
	}
	if d.cfg.Postgres() {
		key, err := server.MasterKey(d.cfg)
		d.fail("master key", "%v", err)
		return key, false
	}
	key, err := secret.LoadOrCreateMasterKey(d.cfg.MasterKeyFile(), false)
	begins, unknown := server.NewDatabase(d.cfg)
	switch {
	case errors.Is(err, fs.ErrNotExist) && unknown != nil: // the database check says why
	case errors.Is(err, fs.ErrNotExist) && begins:
		d.making("master key", d.cfg.MasterKeyFile())
	case errors.Is(err, fs.ErrNotExist):
		d.fail("master key", "%v (%s is missing)", server.ErrNoMasterKey, d.cfg.MasterKeyFile())
	case err != nil:
		d.fail("master key", "%v", err)
	default:
		d.ok("master key", "%s holds a key; its id is %s. Keep a copy apart from the database.", d.cfg.MasterKeyFile(), key.ID())
		return key, true
	}
	return key, false
}

// making says that the first start makes a file, or that it cannot.
func (d *doctor) making(check, path string) {
	if err := writable(filepath.Dir(path)); err != nil {
		d.fail(check, "%s is not there yet, and cannot be made: %v. Give its folder to the user of the service, or change DATA_DIR.", path, err)
		return
	}
	d.warn(check, "%s is not there yet: the first start makes it.", path)
}

// writable tries whether a file can be made in a folder, or in the one in which the
// folder would be made. What it makes is gone again.
func writable(dir string) error {
	for _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir); _, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	f, err := os.CreateTemp(dir, ".keystone-doctor-")
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		return fmt.Errorf("%s: %w", dir, failed.Err) // the file's name tells nobody anything
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// disk checks the room that is left where SQLite writes.
func (d *doctor) disk() {
	if d.cfg.Postgres() {
		return
	}
	free, total, ok := freeDisk(d.cfg.DataDir)
	const little, enough = 64 << 20, 1 << 30
	switch {
	case !ok:
		return
	case free < little:
		d.fail("disk", "Only %d MiB are free for %s: writes will fail soon. Make room.", free>>20, d.cfg.DataDir)
	case free < enough && free < total/10:
		d.warn("disk", "%d MiB are free for %s. Make room before it is full.", free>>20, d.cfg.DataDir)
	default:
		d.ok("disk", "%d MiB are free for %s.", free>>20, d.cfg.DataDir)
	}
}

// tlsFiles checks that the certificate can be served, and for how long.
func (d *doctor) tlsFiles() {
	if !d.cfg.TLS() {
		return
	}
	pair, err := tls.LoadX509KeyPair(d.cfg.TLSCertFile, d.cfg.TLSKeyFile)
	if err != nil {
		d.fail("tls", "TLS_CERT_FILE and TLS_KEY_FILE do not go together: %v", err)
		return
	}
	leaf, now := pair.Leaf, time.Now()
	issuer, err := url.Parse(d.cfg.Issuer)
	switch {
	case now.After(leaf.NotAfter):
		d.fail("tls", "The certificate expired at %s. Put a new one into TLS_CERT_FILE; a running server takes it up by itself.", stamp(&leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		d.fail("tls", "The certificate is good from %s only. Check the clock.", stamp(&leaf.NotBefore))
	case err == nil && leaf.VerifyHostname(issuer.Hostname()) != nil:
		d.warn("tls", "The certificate is not for %s, the host of ISSUER: clients will refuse it unless a proxy stands before Keystone.", issuer.Hostname())
	case now.Add(14 * 24 * time.Hour).After(leaf.NotAfter):
		d.warn("tls", "The certificate expires at %s. Renew it.", stamp(&leaf.NotAfter))
	default:
		d.ok("tls", "The certificate is good until %s.", stamp(&leaf.NotAfter))
	}
}

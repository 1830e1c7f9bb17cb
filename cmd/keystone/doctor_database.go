package main

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/server"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/token"
)

// database checks the database, its schema, and that the master key is the one
// it was made with.
func (d *doctor) database(ctx context.Context) {
	master, haveKey := d.masterKey()
	begins, err := server.NewDatabase(d.cfg)
	switch {
	case err != nil:
		d.fail("database", "%v", err)
		return
	case begins:
		d.making("database", d.cfg.SQLitePath())
		return
	case !haveKey:
		return // what is wrong with it is said already
	}
	s, err := store.Open(ctx, d.cfg.DatabaseURL.Reveal(), store.Options{Master: master, PoolSize: commandPool})
	if err != nil {
		d.fail("database", "%v", err)
		return
	}
	db := database{Store: s, cfg: d.cfg, master: master}
	defer db.Close()
	if err := db.Ping(ctx); err != nil {
		d.fail("database", "%s", refusal(err))
		return
	}
	d.ok("database", "The database answers.")
	if !d.databaseFile(ctx, db) {
		return
	}
	d.databaseClock(ctx, db)
	if !d.schema(ctx, db) {
		return
	}
	if err := token.CheckMaster(ctx, db.Store, master); err != nil {
		d.fail("master key", "%s", refusal(err))
		return
	}
	d.signingKeys(ctx, db)
	d.outbox(ctx, db)
	if needs, err := db.NeedsSetup(ctx); err == nil && needs {
		d.warn("administrator", "There is no administrator yet. Run: keystone setup-link")
	}
}

// databaseFile checks that the file of a SQLite database is whole.
func (d *doctor) databaseFile(ctx context.Context, db database) bool {
	if d.cfg.Postgres() {
		return true
	}
	switch damage, err := db.Damage(ctx); {
	case err != nil:
		d.fail("database file", "%s", refusal(err))
	case damage != "":
		d.fail("database file", "%s is damaged: %s. Stop the server and put a backup back, as docs/DEPLOYMENT.md says under Backup and restore.", d.cfg.SQLitePath(), damage)
	default:
		d.ok("database file", "%s is whole.", d.cfg.SQLitePath())
		return true
	}
	return false
}

// How far clocks may be apart: a second is what nodes promise each other, ten are
// what those who verify tokens allow.
const (
	clockNoted = time.Second
	clockApart = 10 * time.Second
)

// databaseClock compares this machine's clock with the database's. Nodes write times by
// their own clocks; where one is wrong, its tokens are not valid yet, or for too long.
func (d *doctor) databaseClock(ctx context.Context, db database) {
	offset, err := db.ClockOffset(ctx)
	switch {
	case err != nil:
		d.fail("database clock", "%s", refusal(err))
	case offset.Abs() > clockApart:
		d.fail("database clock", "This machine's clock is %s away from the database's. Set both by NTP.", offset.Abs().Round(time.Millisecond))
	case offset.Abs() > clockNoted:
		d.warn("database clock", "This machine's clock is %s away from the database's. Set both by NTP.", offset.Abs().Round(time.Millisecond))
	default:
		d.ok("database clock", "This machine and the database agree on the time.")
	}
}

// lateMessage is how old a message is that something holds up.
const lateMessage = 15 * time.Minute

// outbox checks that messages to other servers leave.
func (d *doctor) outbox(ctx context.Context, db database) {
	b, err := db.Backlog(ctx)
	switch {
	case err != nil:
		d.fail("messages", "%s", refusal(err))
	case b.Dead > 0:
		d.warn("messages", "%d messages to other servers were given up. See: keystone outbox list --given-up", b.Dead)
	case b.Oldest > lateMessage:
		d.warn("messages", "%d messages to other servers wait, the oldest for %s. See: keystone outbox list", b.Outbox, b.Oldest.Round(time.Minute))
	default:
		d.ok("messages", "%d messages to other servers wait, none for long.", b.Outbox)
	}
}

func (d *doctor) schema(ctx context.Context, db database) bool {
	steps, err := db.Migrations(ctx)
	if err != nil {
		d.fail("schema", "%s", refusal(err))
		return false
	}
	if pending := pendingOf(steps); len(pending) > 0 {
		d.warn("schema", "%d of %d steps are missing. Run: keystone migrate (keystone serve does it too)", len(pending), len(steps))
		return false
	}
	if newer := store.NewerSchema(steps); newer != "" {
		d.warn("schema", "%s", newer)
		return true
	}
	d.ok("schema", "The schema is this version's.")
	return true
}

// signingKeys checks that the keys open. Where none signs yet, none is made.
func (d *doctor) signingKeys(ctx context.Context, db database) {
	if d.cfg.JWTAlgorithm == keystone.HS256 {
		d.warn("signing keys", "Access tokens are signed with JWT_SECRET_KEY (HS256): whoever verifies them can also make them.")
		return
	}
	keys, err := presentKeys(ctx, db.Store)
	if err != nil {
		d.fail("signing keys", "%s", refusal(err))
		return
	}
	current, ok := keystone.CurrentKey(d.cfg.JWTAlgorithm, keys, db.Now())
	if !ok {
		d.warn("signing keys", "No %s key signs yet: the next start sees to one.", d.cfg.JWTAlgorithm)
		return
	}
	if _, err := db.ring(ctx); err != nil {
		d.fail("signing keys", "%s", refusal(err))
		return
	}
	d.ok("signing keys", "%d keys open with the master key; %s signs, %s.", len(keys), current.ID, current.Algorithm)
}

package store

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// Options are what Open needs besides the address.
type Options struct {
	PoolSize int              // most connections to PostgreSQL; 0 means 20
	Master   secret.MasterKey // seals and keys what must not be usable at rest
	Now      func() time.Time // nil means time.Now
	Idle     time.Duration    // longest pause between two uses of a session; 0: none
	Trace    bool             // trace statements with OpenTelemetry
	Waiting  func()           // called where Migrate waits for another node for longer than a moment; may be nil
}

// Store is every table. It is safe for concurrent use. Inside InTx the same
// type is bound to the open transaction.
type Store struct {
	db        database
	q         querier // db, or the open transaction
	now       func() time.Time
	idle      time.Duration
	waiting   func()
	master    secret.MasterKey
	cache     *caches
	group     *groupWriter
	chain     *secret.MAC
	userCodes *secret.MAC
	twice     *secret.MAC // makes what is given again to a form that was sent twice
	tx        *txState    // nil outside a transaction
}

// txState is what one transaction leaves to do after its commit.
type txState struct{ after []func() }

// Open connects to a database: a path is SQLite, a postgres: or postgresql: URL (also
// SQLAlchemy's postgresql+asyncpg:) is PostgreSQL. What else people write for a path,
// config has made one of. It does not migrate; see Migrate.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if o.PoolSize == 0 {
		o.PoolSize = 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var db database
	var err error
	switch {
	case IsPostgres(url):
		db, err = openPostgres(ctx, url, o)
	case url == "" || strings.Contains(url, "://") || strings.HasPrefix(url, "sqlite:") || strings.HasPrefix(url, "file:"):
		return nil, errors.New("DATABASE_URL is neither a path nor a postgres: URL; write ./keystone-data/keystone.db or postgres://user:password@host/database")
	default:
		db, err = openSQLite(ctx, url)
	}
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, q: db, now: o.Now, idle: o.Idle, waiting: o.Waiting, master: o.Master, chain: o.Master.MAC("audit-chain"), userCodes: o.Master.MAC("user-code"), twice: o.Master.MAC("sent-twice")}
	s.cache = newCaches()
	s.group = newGroupWriter(db)
	return s, nil
}

// IsPostgres reports whether a DATABASE_URL names PostgreSQL.
func IsPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres:") || strings.HasPrefix(url, "postgresql:") || strings.HasPrefix(url, "postgresql+asyncpg:")
}

// Close waits for writes under way and closes every connection.
func (s *Store) Close() {
	s.group.close()
	s.db.close()
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.fail("ping", s.db.ping(ctx)) }

// NoWrites reports an error of a database that answers and takes no writes.
func NoWrites(err error) bool {
	var e *keystone.Error
	return errors.As(err, &e) && e.Msg == errNoWrites.Msg
}

// Damage says what is wrong with the file of a SQLite database (PRAGMA quick_check),
// or nothing. It reads all of it. PostgreSQL looks after its own.
func (s *Store) Damage(ctx context.Context) (string, error) {
	if _, ok := s.db.(*lite); !ok {
		return "", nil
	}
	found, err := s.texts(ctx, `PRAGMA quick_check(3)`)
	if isDamaged(err) { // so much that it does not get to the end
		return err.Error(), nil
	}
	if err != nil || len(found) == 1 && found[0] == "ok" {
		return "", s.fail("check the database file", err)
	}
	return strings.Join(found, "; "), nil
}

// ClockOffset returns how far the database's clock is ahead of this machine's, as
// exactly as the way there and back allows. SQLite has this machine's own: 0.
func (s *Store) ClockOffset(ctx context.Context) (time.Duration, error) {
	query := s.db.clock()
	if query == "" {
		return 0, nil
	}
	asked := time.Now()
	var micros int64
	if _, err := s.row(ctx, query, nil, &micros); err != nil {
		return 0, s.fail("database clock", err)
	}
	return time.UnixMicro(micros).Sub(asked.Add(time.Since(asked) / 2)), nil
}

// Pool returns the state of the connection pool.
func (s *Store) Pool() PoolStats { return s.db.stats() }

// Now is the store's clock.
func (s *Store) Now() time.Time { return s.now() }

const (
	txAttempts = 8
	txTimeout  = 10 * time.Second
)

// InTx runs fn in one transaction and commits it unless fn fails. A
// serialization failure, deadlock or busy database, or a row that somebody else
// changed between reading and writing it, runs it again, so fn must not have
// effects outside of the store it is given. Transactions do not nest: inside
// one, fn runs in it.
func (s *Store) InTx(ctx context.Context, fn func(*Store) error) error {
	if s.tx != nil {
		return fn(s)
	}
	ctx, cancel := context.WithTimeout(ctx, txTimeout)
	defer cancel()
	var err error
	for attempt := range txAttempts {
		if err = s.tryTx(ctx, fn); err == nil || !errors.Is(err, errMoved) && s.db.classify(err) != faultRetry {
			return s.fail("transaction", err)
		}
		if !pause(ctx, attempt) {
			break
		}
	}
	return s.fail("transaction", err)
}

func (s *Store) tryTx(ctx context.Context, fn func(*Store) error) error {
	tx, err := s.db.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.rollback()
	bound := *s
	bound.q, bound.tx = tx, &txState{}
	if err := fn(&bound); err != nil {
		return err
	}
	if err := tx.commit(ctx); err != nil {
		return err
	}
	for _, f := range bound.tx.after {
		f()
	}
	return nil
}

// pause waits a little longer after each attempt, and reports whether there is
// time for another.
func pause(ctx context.Context, attempt int) bool {
	jitter := time.Duration(bits.Reverse64(uint64(time.Now().UnixNano()))>>54) * time.Microsecond // 0 to 1 ms: callers that collided part ways
	t := time.NewTimer(time.Millisecond<<min(attempt, 6) + jitter)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// afterCommit runs f when the change is durable: at once outside a transaction.
func (s *Store) afterCommit(f func()) {
	if s.tx == nil {
		f()
		return
	}
	s.tx.after = append(s.tx.after, f)
}

// hotReads is the store for reads of hot paths: single statements that find their
// rows by a key.
func (s *Store) hotReads() *Store {
	hot := *s
	hot.q = s.q.together()
	return &hot
}

// row reads the one row of a query into dest and reports whether there was one.
func (s *Store) row(ctx context.Context, sql string, args []any, dest ...any) (found bool, err error) {
	err = s.q.query(ctx, func(r rows) error {
		if found = r.Next(); !found {
			return r.Err()
		}
		return r.Scan(dest...)
	}, sql, args...)
	return found && err == nil, err
}

// all reads every row of a query with scan.
func all[T any](ctx context.Context, s *Store, scan func(func(...any) error) (T, error), sql string, args ...any) (out []T, err error) {
	err = s.q.query(ctx, func(r rows) error {
		out = nil
		for r.Next() {
			item, err := scan(r.Scan)
			if err != nil {
				return err
			}
			out = append(out, item)
		}
		return r.Err()
	}, sql, args...)
	return out, err
}

// texts reads a query of one text column.
func (s *Store) texts(ctx context.Context, sql string, args ...any) ([]string, error) {
	return all(ctx, s, func(scan func(...any) error) (v string, err error) { return v, scan(&v) }, sql, args...)
}

// errors that callers turn into answers.
var (
	errUnavailable = keystone.Fail(keystone.Unavailable, "The database does not answer at the moment. Try again shortly: whether a change was made is not known.").After(time.Second)
	errNoWrites    = keystone.Fail(keystone.Unavailable, "The database takes no writes: its disk is full, or it is read-only. Nothing was changed.").After(5 * time.Second)
	errStale       = keystone.Fail(keystone.Stale, "This was changed since you read it. Read it again and repeat your change.")
	errMoved       = keystone.Fail(keystone.Stale, "Too many changes to this at the same time. Read it again and repeat your change.") // InTx runs again
	errForbidden   = keystone.Fail(keystone.Forbidden, "You can grant only scopes that you hold, and manage only users, roles and clients that hold no more than you. Whoever holds scopes:write holds every scope that is not Keystone's own.")
)

func notFound(what string) *keystone.Error {
	return keystone.Fail(keystone.NotFound, "There is no such "+what+".")
}

// fail turns a database error into a kind, keeping the cause for the log. An
// error that already has a kind passes through.
func (s *Store) fail(call string, err error) error {
	if err == nil {
		return nil
	}
	var known *keystone.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return errUnavailable.Because(fmt.Errorf("store: %s: %w", call, err))
	}
	switch s.db.classify(err) {
	case faultDuplicate:
		return keystone.Fail(keystone.Conflict, "This exists already.").Because(fmt.Errorf("store: %s: %w", call, err))
	case faultRetry, faultDown:
		return errUnavailable.Because(fmt.Errorf("store: %s: %w", call, err))
	case faultFull:
		return errNoWrites.Because(fmt.Errorf("store: %s: %w", call, err))
	}
	if isDamaged(err) {
		return fmt.Errorf("store: %s: the database file is damaged: %w. %s", call, err, damageAdvice)
	}
	return fmt.Errorf("store: %s: %w", call, err)
}

func (s *Store) duplicate(err error) bool { return err != nil && s.db.classify(err) == faultDuplicate }

// micros turns a time into its stored form; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is the reverse of micros.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

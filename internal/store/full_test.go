package store_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// Q11, X14: a database that can grow no more refuses every write, none half done
// and none acknowledged that is not there; what only reads goes on; and with room
// again it goes on by itself.
func TestFullDatabase(t *testing.T) {
	s := storetest.OpenAt(t, storetest.SQLitePath(t), storetest.NewClock())
	ctx, by := context.Background(), keystone.Operator("test")
	u, err := s.CreateUser(ctx, by, keystone.User{Username: "there", Email: "there@example.com", Enabled: true}, "")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := s.RawTexts(ctx, `SELECT CAST(page_count AS TEXT) FROM pragma_page_count`)
	if err != nil {
		t.Fatal(err)
	}
	now, err := strconv.Atoi(pages[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Raw(ctx, `PRAGMA max_page_count = `+strconv.Itoa(now+20)); err != nil {
		t.Fatal(err)
	}

	var written, refused atomic.Int64
	record := func(size int) error {
		return s.Record(ctx, by, keystone.AuditEvent{Action: keystone.ActAccessDenied, TargetKind: "server", TargetName: strings.Repeat("x", size), Detail: map[string]any{"filler": "yes"}})
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				switch err := record(500); {
				case err == nil:
					written.Add(1)
				case store.NoWrites(err):
					refused.Add(1)
				default:
					t.Error("a full database answers", err)
					return
				}
			}
		})
	}
	all.Wait()
	if written.Load() == 0 || refused.Load() == 0 {
		t.Fatalf("%d written, %d refused", written.Load(), refused.Load())
	}
	rows, err := s.RawTexts(ctx, `SELECT CAST(COUNT(*) AS TEXT) FROM audit WHERE detail = '{"filler":"yes"}'`)
	if err != nil || rows[0] != strconv.FormatInt(written.Load(), 10) {
		t.Errorf("%v rows, %d acknowledged: %v", rows, written.Load(), err)
	}
	if _, err := s.CreateUser(ctx, by, keystone.User{Username: strings.Repeat("n", 50), Email: strings.Repeat("n", 60) + "@example.com", FirstName: strings.Repeat("f", 50), Enabled: true}, strings.Repeat("h", 4000)); !store.NoWrites(err) {
		t.Error("a transaction on a full database:", err)
	}
	if list, err := s.Users(ctx, "", keystone.Page{}); err != nil || len(list.Items) != 1 {
		t.Error("users that are half there:", list, err)
	}
	if got, err := s.User(ctx, u.ID); err != nil || got.Username != "there" {
		t.Error("reading stopped:", err)
	}
	if st, err := s.UserState(ctx, u.ID); err != nil || !st.Enabled {
		t.Error("reading for tokens stopped:", err)
	}
	if ok, err := s.RawTexts(ctx, `SELECT integrity_check FROM pragma_integrity_check`); err != nil || ok[0] != "ok" {
		t.Error("the file is damaged:", ok, err)
	}

	if _, err := s.Raw(ctx, `PRAGMA max_page_count = 1000000`); err != nil {
		t.Fatal(err)
	}
	if err := record(500); err != nil {
		t.Error("with room again:", err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for n := 1; n > 0 && time.Now().Before(deadline); {
		if n, err = s.SealAudit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if report, err := s.VerifyAudit(ctx, ""); err != nil || len(report.Findings) != 0 {
		t.Error("the trail afterwards:", report, err)
	}
}

// A PostgreSQL server that is full, shutting down or out of connections is
// unavailable, not broken.
func TestFaultsOfPostgres(t *testing.T) {
	for code, want := range map[string]keystone.Kind{
		"53100": keystone.Unavailable, "53200": keystone.Unavailable, "53300": keystone.Unavailable, "25006": keystone.Unavailable,
		"57P01": keystone.Unavailable, "57P03": keystone.Unavailable, "58030": keystone.Unavailable, "08006": keystone.Unavailable,
		"42601": keystone.Unknown, "22001": keystone.Unknown,
	} {
		err := errors.Join(errors.New("write"), &pgconn.PgError{Code: code})
		if got := keystone.KindOf(store.FaultOfPostgres(err)); got != want {
			t.Errorf("%s is %v, want %v", code, got, want)
		}
		if got, want := store.NoWrites(store.FaultOfPostgres(err)), code == "53100" || code == "25006"; got != want {
			t.Errorf("%s takes no writes: %t", code, got)
		}
	}
}

package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

func record(t testing.TB, s *store.Store, n int) {
	t.Helper()
	const most = 250 // in a transaction, whose time is bounded
	for ; n > most; n -= most {
		record(t, s, most)
	}
	ok(t, s.InTx(ctx, func(tx *store.Store) error {
		for i := range n {
			if err := tx.Record(ctx, operator, keystone.AuditEvent{Action: "test.row", TargetKind: "server", TargetName: fmt.Sprint("row", i), Detail: map[string]any{"n": i}}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// seal seals everything, and fails the test where that is not n rows.
func seal(t testing.TB, s *store.Store, n int) {
	t.Helper()
	sealed := 0
	for {
		more := must[int](t)(s.SealAudit(ctx))
		if more == 0 {
			break
		}
		sealed += more
	}
	if sealed != n {
		t.Fatalf("sealed %d rows, want %d", sealed, n)
	}
}

// findings verifies and returns what was found as "seal/row what", sorted.
func findings(t testing.TB, s *store.Store, expectHead string) string {
	t.Helper()
	var out []string
	for _, f := range must[store.AuditReport](t)(s.VerifyAudit(ctx, expectHead)).Findings {
		out = append(out, fmt.Sprintf("%d/%d %s", f.Seal, f.Seq, f.What))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func TestSealAndVerify(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		r := must[store.AuditReport](t)(s.VerifyAudit(ctx, ""))
		if r.Rows != 0 || r.Seals != 0 || r.Unsealed != 0 || r.Head != "" || len(r.Findings) != 0 {
			t.Fatalf("an empty trail: %+v", r)
		}
		heads := []string{}
		for i := range 3 {
			record(t, s, 4)
			clock.Move(time.Second)
			seal(t, s, 4)
			record(t, s, 1)
			r := must[store.AuditReport](t)(s.VerifyAudit(ctx, ""))
			if int(r.Seals) != i*2+1 || int(r.Rows) != i*5+4 || r.Unsealed != 1 || len(r.Findings) != 0 || len(r.Head) != 64 {
				t.Fatalf("%+v", r)
			}
			heads = append(heads, r.Head)
			seal(t, s, 1)
		}
		for _, head := range heads { // every earlier head is in the chain
			if got := findings(t, s, head); got != "" {
				t.Error(got)
			}
		}
		if got := findings(t, s, strings.Repeat("0", 64)); got != "0/0 seal missing" {
			t.Errorf("a head that never was: %q", got)
		}
		record(t, s, 2500)
		seal(t, s, 2500)
		if got := findings(t, s, ""); got != "" {
			t.Error(got)
		}
	})
}

// TestTampering: whoever can write to the database cannot change the sealed
// trail unseen, and the report says where.
func TestTampering(t *testing.T) {
	for _, test := range []struct {
		name     string
		sql      []string
		postgres []string // instead, where it differs
		want     string
	}{
		{name: "detail changed", sql: []string{`UPDATE audit SET detail = '{"n":9}' WHERE seq = 5`}, want: "2/5 changed"},
		{name: "detail respelled", sql: []string{`UPDATE audit SET detail = '{"n": 0}' WHERE seq = 5`}, want: "2/5 changed"},
		{name: "detail broken", sql: []string{`UPDATE audit SET detail = '{' WHERE seq = 5`}, want: "2/5 changed"},
		{name: "actor changed", sql: []string{`UPDATE audit SET actor_name = 'somebody' WHERE seq = 2`}, want: "1/2 changed"},
		{name: "text moved between columns", sql: []string{`UPDATE audit SET actor_id = actor_name, actor_name = actor_id WHERE seq = 2`}, want: "1/2 changed"},
		{name: "time changed", sql: []string{`UPDATE audit SET at = at + 1 WHERE seq = 2`}, want: "1/2 changed"},
		{name: "rows exchanged", sql: []string{`UPDATE audit SET target_name = CASE seq WHEN 1 THEN 'row1' ELSE 'row0' END WHERE seq IN (1, 2)`}, want: "1/1 changed, 1/2 changed"},
		{name: "first row removed", sql: []string{`DELETE FROM audit WHERE seq = 1`}, want: "1/1 removed"},
		{name: "middle row removed", sql: []string{`DELETE FROM audit WHERE seq = 6`}, want: "2/6 removed"},
		{name: "last row removed", sql: []string{`DELETE FROM audit WHERE seq = 12`}, want: "3/12 removed"},
		{name: "all rows removed", sql: []string{`DELETE FROM audit WHERE seq > 8`}, want: "3/10 removed, 3/11 removed, 3/12 removed, 3/9 removed"},
		{name: "row inserted in place of another", sql: []string{`DELETE FROM audit WHERE seq = 6`,
			`INSERT INTO audit SELECT 6, id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail FROM audit WHERE seq = 5`},
			postgres: []string{`DELETE FROM audit WHERE seq = 6`,
				`INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT 6, id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail FROM audit WHERE seq = 5`},
			want: "2/6 changed"},
		{name: "row inserted before the trail", sql: []string{`INSERT INTO audit SELECT 0, id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail FROM audit WHERE seq = 5`},
			postgres: []string{`INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT 0, id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail FROM audit WHERE seq = 5`},
			want:     "0/0 inserted"},
		{name: "seal's range changed", sql: []string{`UPDATE audit_seals SET last_seq = 7 WHERE n = 2`}, want: "2/0 seal changed, 2/8 removed, 3/0 seal missing"},
		{name: "seal's entries changed", sql: []string{`UPDATE audit_seals SET entries = (SELECT entries FROM audit_seals WHERE n = 1) WHERE n = 2`},
			want: "2/0 seal changed, 2/5 inserted, 2/6 inserted, 2/7 inserted, 2/8 inserted"},
		{name: "seal's entries emptied with their rows", sql: []string{`DELETE FROM audit WHERE seq BETWEEN 5 AND 8`, `UPDATE audit_seals SET entries = previous WHERE n = 2`}, want: "2/0 seal changed"},
		{name: "seal's time changed", sql: []string{`UPDATE audit_seals SET sealed_at = sealed_at - 1 WHERE n = 2`}, want: "2/0 seal changed"},
		{name: "seal's hash changed", sql: []string{`UPDATE audit_seals SET hash = previous WHERE n = 2`}, want: "2/0 seal changed, 3/0 seal changed"},
		{name: "last seal's hash changed", sql: []string{`UPDATE audit_seals SET hash = previous WHERE n = 3`}, want: "3/0 seal changed"},
		{name: "first seal removed with its rows", sql: []string{`DELETE FROM audit WHERE seq <= 4`, `DELETE FROM audit_seals WHERE n = 1`}, want: "1/0 seal missing"},
		{name: "middle seal removed with its rows", sql: []string{`DELETE FROM audit WHERE seq BETWEEN 5 AND 8`, `DELETE FROM audit_seals WHERE n = 2`}, want: "2/0 seal missing"},
		{name: "middle seal removed and the rest renumbered", sql: []string{`DELETE FROM audit WHERE seq BETWEEN 5 AND 8`, `DELETE FROM audit_seals WHERE n = 2`, `UPDATE audit_seals SET n = 2 WHERE n = 3`}, want: "2/0 seal missing, 3/0 seal missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			check := func(t *testing.T, s *store.Store) {
				for range 3 {
					record(t, s, 4)
					seal(t, s, 4)
				}
				record(t, s, 2) // not sealed
				if got := findings(t, s, ""); got != "" {
					t.Fatal("before:", got)
				}
				statements := test.sql
				if s.OnPostgres() && test.postgres != nil {
					statements = test.postgres
				}
				for _, sql := range statements {
					if _, err := s.Raw(ctx, sql); err != nil {
						t.Fatal(err)
					}
				}
				if got := findings(t, s, ""); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			}
			t.Run("sqlite", func(t *testing.T) {
				check(t, storetest.OpenAt(t, t.TempDir()+"/test.db", storetest.NewClock()))
			})
			if test.postgres != nil || strings.HasPrefix(test.name, "detail") { // the statements are the same: a few stand for them
				t.Run("postgres", func(t *testing.T) { check(t, storetest.OpenAt(t, storetest.PostgresURL(t), storetest.NewClock())) })
			}
		})
	}
}

// TestCutChain: whoever cuts the trail off behind a seal leaves a chain that fits, but the
// head that is noted beside it does not; nor is what they cut sealed again. Whoever puts
// back the head of that time, too, is shown by a head that somebody kept elsewhere.
func TestCutChain(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		record(t, s, 4)
		seal(t, s, 4)
		record(t, s, 4)
		seal(t, s, 4)
		head := must[store.AuditReport](t)(s.VerifyAudit(ctx, "")).Head
		noted := must[[]string](t)(s.RawTexts(ctx, `SELECT value FROM meta WHERE name = 'audit_head'`))[0]
		raw := func(sql string, args ...any) {
			t.Helper()
			if _, err := s.Raw(ctx, sql, args...); err != nil {
				t.Fatal(err)
			}
		}
		record(t, s, 4)
		seal(t, s, 4)
		newest := must[[]string](t)(s.RawTexts(ctx, `SELECT value FROM meta WHERE name = 'audit_head'`))[0]
		raw(`UPDATE audit SET actor_name = 'forged' WHERE seq = 6`)
		raw(`DELETE FROM audit WHERE seq = 10`)
		raw(`DELETE FROM audit_seals WHERE n >= 2`)
		if got := findings(t, s, ""); got != "2/0 seal missing, 3/0 seal missing" {
			t.Errorf("cut: %q", got)
		}
		record(t, s, 1)
		seal(t, s, 1) // and not what was cut
		if got := findings(t, s, ""); got != "2/0 seal missing" {
			t.Errorf("cut, and sealed on: %q", got)
		}
		raw(`UPDATE meta SET value = $1 WHERE name = 'audit_head'`, strings.Replace(newest, "3 12 ", "1 4 ", 1))
		if got := findings(t, s, ""); got != "0/0 head changed, 2/0 seal missing" {
			t.Errorf("with a head that was made up: %q", got)
		}
		raw(`DELETE FROM audit_seals WHERE n >= 2`)
		raw(`UPDATE meta SET value = $1 WHERE name = 'audit_head'`, noted)
		if got := findings(t, s, ""); got != "2/0 seal missing" {
			t.Errorf("with the head of another time: %q", got)
		}
		if got := findings(t, s, head); got != "0/0 seal missing, 2/0 seal missing" {
			t.Errorf("with a head kept elsewhere: %q", got)
		}
	})
}

// TestSealedLate: rows that waited for their seal longer than any do while a server runs are
// counted, with the first of them.
func TestSealedLate(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		record(t, s, 2)
		seal(t, s, 2)
		record(t, s, 3)
		clock.Move(15 * time.Minute)
		record(t, s, 1)
		seal(t, s, 4)
		if r := must[store.AuditReport](t)(s.VerifyAudit(ctx, "")); r.Late != 3 || r.LateFrom != 3 || len(r.Findings) != 0 {
			t.Errorf("%+v", r)
		}
	})
}

// TestForeignKey: a chain that somebody made anew without the master key does
// not fit.
func TestForeignKey(t *testing.T) {
	path, clock := t.TempDir()+"/test.db", storetest.NewClock()
	s := storetest.OpenAt(t, path, clock)
	record(t, s, 3)
	forger := must[*store.Store](t)(store.Open(ctx, path, store.Options{Master: secret.NewMasterKey(), Now: clock.Now}))
	defer forger.Close()
	seal(t, forger, 3)
	if got := findings(t, forger, ""); got != "" {
		t.Error("the forger's own chain:", got)
	}
	if got := findings(t, s, ""); got != "0/0 head changed, 1/0 seal changed, 1/1 changed, 1/2 changed, 1/3 changed" {
		t.Error(got)
	}
}

// TestGapOfAFailedTransaction: on PostgreSQL a transaction that fails leaves a
// gap in the numbers. The sealer waits until no transaction can still fill it.
func TestGapOfAFailedTransaction(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.OpenAt(t, storetest.PostgresURL(t), clock)
	record(t, s, 2)
	failed := errors.New("no")
	if err := s.InTx(ctx, func(tx *store.Store) error {
		record(t, tx, 2)
		return failed
	}); !errors.Is(err, failed) {
		t.Fatal(err)
	}
	record(t, s, 3) // 5, 6, 7
	seal(t, s, 2)
	clock.Move(14 * time.Second)
	seal(t, s, 0)
	clock.Move(time.Second)
	seal(t, s, 3)
	if got := findings(t, s, ""); got != "" {
		t.Error(got)
	}
	// Whoever fills the gap by hand is seen.
	if _, err := s.Raw(ctx, `INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT 3, id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail FROM audit WHERE seq = 2`); err != nil {
		t.Fatal(err)
	}
	if got := findings(t, s, ""); got != "2/3 inserted" {
		t.Error(got)
	}
}

// TestLateRow: a transaction that commits behind the sealer's back, against all
// expectation, is sealed late and verifies.
func TestLateRow(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.OpenAt(t, storetest.PostgresURL(t), clock)
	written, commit, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- s.InTx(ctx, func(tx *store.Store) error {
			record(t, tx, 1)
			close(written)
			<-commit
			return nil
		})
	}()
	<-written
	record(t, s, 2) // 2 and 3, while 1 is not there yet
	seal(t, s, 0)
	clock.Move(time.Minute)
	seal(t, s, 2)
	close(commit)
	ok(t, <-done)
	if got := findings(t, s, ""); got != "1/1 inserted" {
		t.Error("before it is sealed:", got)
	}
	record(t, s, 1)
	seal(t, s, 2)
	if got := findings(t, s, ""); got != "" {
		t.Error(got)
	}
	if _, err := s.Raw(ctx, `UPDATE audit SET target_name = 'x' WHERE seq = 1`); err != nil {
		t.Fatal(err)
	}
	if got := findings(t, s, ""); got != "1/1 changed" {
		t.Error(got)
	}
	if _, err := s.Raw(ctx, `DELETE FROM audit WHERE seq = 1`); err != nil {
		t.Fatal(err)
	}
	if got := findings(t, s, ""); got != "1/1 removed" {
		t.Error(got)
	}
}

// TestTwoSealers: two nodes that seal at once, while others write, make one
// chain that verifies.
func TestTwoSealers(t *testing.T) {
	eachNodes(t, 2, func(t *testing.T, nodes []*store.Store, clock *storetest.Clock) {
		sealed := together(6, func(i int) int {
			if i < 2 {
				n := 0
				for range 20 {
					more, err := nodes[i].SealAudit(ctx)
					if err != nil {
						t.Error(err)
					}
					n += more
				}
				return n
			}
			for range 20 {
				if err := nodes[i%2].Record(ctx, operator, keystone.AuditEvent{Action: "test.row", TargetKind: "server"}); err != nil {
					t.Error(err)
				}
			}
			return 0
		})
		clock.Move(time.Minute)
		total := sealed[0] + sealed[1]
		for range 5 {
			total += must[int](t)(nodes[0].SealAudit(ctx))
		}
		r := must[store.AuditReport](t)(nodes[1].VerifyAudit(ctx, ""))
		if total != 80 || r.Rows != 80 || r.Unsealed != 0 || len(r.Findings) != 0 {
			t.Fatalf("sealed %d: %+v", total, r)
		}
	})
}

func TestPruneAudit(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		const day = 24 * time.Hour
		if n := must[int64](t)(s.PruneAudit(ctx, day)); n != 0 {
			t.Fatal("an empty trail:", n)
		}
		record(t, s, 700)
		seal(t, s, 700)
		first := must[store.AuditReport](t)(s.VerifyAudit(ctx, "")).Head
		clock.Move(10 * day)
		record(t, s, 4)
		seal(t, s, 4)
		kept := must[store.AuditReport](t)(s.VerifyAudit(ctx, "")).Head
		clock.Move(10 * day)
		record(t, s, 4) // not sealed yet

		if n := must[int64](t)(s.PruneAudit(ctx, 30*day)); n != 0 {
			t.Fatal("nothing is old enough:", n)
		}
		if n := must[int64](t)(s.PruneAudit(ctx, 15*day)); n != 700 {
			t.Fatalf("removed %d", n)
		}
		events := trail(t, s)
		last := events[len(events)-1]
		if len(events) != 9 || last.Action != keystone.ActAuditPruned || last.Detail["head"] != first || last.Detail["through_seal"] != 1.0 || last.Detail["rows"] != 700.0 {
			t.Fatalf("%d rows, the last %+v", len(events), last)
		}
		if got := findings(t, s, kept); got != "" {
			t.Error(got)
		}
		seal(t, s, 5)
		if got := findings(t, s, kept); got != "" {
			t.Error(got)
		}
		// The last seal stays: the chain goes on from it.
		clock.Move(100 * day)
		if n := must[int64](t)(s.PruneAudit(ctx, day)); n != 4 {
			t.Fatalf("removed %d", n)
		}
		record(t, s, 1)
		seal(t, s, 2)
		if got := findings(t, s, ""); got != "" {
			t.Error(got)
		}
		// A beginning that is missing without the trail saying so is found.
		if _, err := s.Raw(ctx, `UPDATE audit SET action = 'test.row' WHERE action = 'audit.pruned'`); err != nil {
			t.Fatal(err)
		}
		if got := findings(t, s, ""); !strings.Contains(got, "1/0 seal missing") {
			t.Errorf("got %q", got)
		}
	})
}

// TestForgedPrune: whoever can write to the database alone cannot have the trail say
// that a part of it was pruned, whatever they write, and whoever seals it.
func TestForgedPrune(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		raw := func(sql string, args ...any) {
			t.Helper()
			must[int64](t)(s.Raw(ctx, sql, args...))
		}
		const day = 24 * time.Hour
		record(t, s, 3)
		seal(t, s, 3)
		clock.Move(2 * day)
		for range 3 { // seals 2 to 4
			record(t, s, 3)
			seal(t, s, 3)
			clock.Move(time.Minute)
		}
		must[int64](t)(s.PruneAudit(ctx, day)) // seal 1, rightly
		seal(t, s, 1)
		if got := findings(t, s, ""); got != "" {
			t.Fatal(got)
		}
		// Seals 2 and 3 are cut out, in each of the ways that the rows are left to say so.
		forged := map[string]string{
			"no mac":            `{"through_seal":3,"through_seq":9,"head":"` + strings.Repeat("00", 32) + `","rows":6}`,
			"invented mac":      `{"through_seal":3,"through_seq":9,"head":"` + strings.Repeat("00", 32) + `","rows":6,"mac":"` + strings.Repeat("00", 32) + `"}`,
			"the mac of seal 1": strings.Replace(must[[]string](t)(s.RawTexts(ctx, `SELECT detail FROM audit WHERE action = 'audit.pruned'`))[0], `"through_seal":1`, `"through_seal":3`, 1),
		}
		raw(`DELETE FROM audit WHERE seq <= 9`)
		raw(`DELETE FROM audit_seals WHERE n <= 3`)
		for name, detail := range forged {
			raw(`INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail)
				SELECT $1, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, $2 FROM audit WHERE action = 'audit.pruned' ORDER BY seq LIMIT 1`,
				keystone.NewID(clock.Now()), detail)
			if got := findings(t, s, ""); !strings.Contains(got, "1/0 seal missing") {
				t.Errorf("%s: %q", name, got)
			}
			seal(t, s, 1)
			if got := findings(t, s, ""); !strings.Contains(got, "1/0 seal missing") {
				t.Errorf("%s, sealed: %q", name, got)
			}
		}
		// A chain of another beginning does not go on from what was pruned.
		raw(`UPDATE audit_seals SET n = n - 2`)
		if got := findings(t, s, ""); !strings.Contains(got, "seal changed") && !strings.Contains(got, "seal missing") {
			t.Errorf("renumbered: %q", got)
		}
		raw(`DELETE FROM audit_seals`)
		if got := findings(t, s, ""); !strings.Contains(got, "seal missing") {
			t.Errorf("no seals: %q", got)
		}
	})
}

// TestPruneByForgedSeal: retention removes nothing by a seal that somebody else wrote.
func TestPruneByForgedSeal(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		record(t, s, 3)
		seal(t, s, 3)
		clock.Move(time.Hour)
		record(t, s, 3)
		seal(t, s, 3)
		must[int64](t)(s.Raw(ctx, `UPDATE audit_seals SET sealed_at = 0, last_seq = 6 WHERE n = 1`))
		if n, err := s.PruneAudit(ctx, 24*time.Hour); err == nil || n != 0 {
			t.Errorf("removed %d, %v", n, err)
		}
		if left := trail(t, s); len(left) != 6 {
			t.Errorf("%d rows are left", len(left))
		}
	})
}

// TestPruneIsCutShort: a prune that dies half way leaves a trail that verifies,
// and the next one finishes it.
func TestPruneIsCutShort(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, clock *storetest.Clock) {
		record(t, s, 1600)
		seal(t, s, 1600) // two seals
		clock.Move(48 * time.Hour)
		record(t, s, 1)
		seal(t, s, 1)
		block, unblock := `CREATE TRIGGER stuck BEFORE DELETE ON audit WHEN OLD.seq = 800 BEGIN SELECT RAISE(ABORT, 'stuck'); END`, `DROP TRIGGER stuck`
		if s.OnPostgres() {
			if _, err := s.Raw(ctx, `CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''stuck''; END'`); err != nil {
				t.Fatal(err)
			}
			block, unblock = `CREATE TRIGGER stuck BEFORE DELETE ON audit FOR EACH ROW WHEN (OLD.seq = 800) EXECUTE FUNCTION stuck()`, `DROP TRIGGER stuck ON audit`
		}
		if _, err := s.Raw(ctx, block); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PruneAudit(ctx, 24*time.Hour); err == nil {
			t.Fatal("it was not stuck")
		}
		if got := findings(t, s, ""); got != "" {
			t.Errorf("half way: %.100s", got)
		}
		if _, err := s.Raw(ctx, unblock); err != nil {
			t.Fatal(err)
		}
		must[int64](t)(s.PruneAudit(ctx, 24*time.Hour))
		if left := must[[]string](t)(s.RawTexts(ctx, `SELECT id FROM audit WHERE seq <= 1600`)); len(left) != 0 {
			t.Errorf("%d rows were left for ever", len(left))
		}
		seal(t, s, len(trail(t, s))-1)
		if got := findings(t, s, ""); got != "" {
			t.Error(got)
		}
	})
}

func TestVerifyStopsWithItsContext(t *testing.T) {
	s := storetest.OpenAt(t, t.TempDir()+"/test.db", storetest.NewClock())
	record(t, s, 3)
	seal(t, s, 3)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.VerifyAudit(gone, ""); keystone.KindOf(err) != keystone.Unavailable {
		t.Fatal(err)
	}
}

package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// The trail is sealed after the fact, by one node at a time, in batches: writers
// never queue for the chain. A seal holds a keyed digest of every row it covers
// and, keyed again, the seal before it. The key is derived from the master key,
// which is not in the database: who can write to the database can destroy the
// trail, but not change it unseen.

const (
	sealBatch = 1000
	// gapSettled is how old the row behind a gap must be before the gap counts as
	// a transaction that did not commit. It is longer than any transaction lives.
	gapSettled = txTimeout + 5*time.Second
	// lateWindow is for how long a settled gap is still watched, should a commit
	// have taken longer than that after all.
	lateWindow = time.Hour
	entrySize  = 8 + 32 // seq and digest
)

// seal is one link of the chain. Entries are rows first..last in order, after
// them rows that arrived late in a gap of an earlier seal.
type seal struct {
	n           int64
	first, last int64
	entries     []byte
	previous    []byte
	hash        []byte
	sealedAt    time.Time
}

func scanSeal(scan func(...any) error) (l seal, err error) {
	var at int64
	err = scan(&l.n, &l.first, &l.last, &l.entries, &l.previous, &l.hash, &at)
	l.sealedAt = moment(at)
	return l, err
}

const sealColumns = `n, first_seq, last_seq, entries, previous, hash, sealed_at`

// SealAudit seals what is not sealed yet, at most one batch, and returns how
// many rows it sealed. Call it under a lease, every second or so; the chain's
// primary key refuses a second sealer.
func (s *Store) SealAudit(ctx context.Context) (int, error) {
	tip, err := s.lastSeal(ctx)
	if err != nil {
		return 0, s.fail("seal audit", err)
	}
	rows, err := all(ctx, s, scanTrailRow, `SELECT `+auditColumns+` FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`, tip.last, sealBatch)
	if err != nil {
		return 0, s.fail("seal audit", err)
	}
	now := s.now()
	next := seal{n: tip.n + 1, first: tip.last + 1, last: tip.last, previous: tip.hash, sealedAt: now}
	for _, e := range rows {
		if e.Seq != next.last+1 && e.At.After(now.Add(-gapSettled)) {
			break
		}
		next.last = e.Seq
		next.entries = s.appendEntry(next.entries, e)
	}
	if next.entries == nil {
		return 0, nil
	}
	late, err := s.lateRows(ctx, next.first, now)
	if err != nil {
		return 0, s.fail("seal audit", err)
	}
	for _, e := range late {
		next.entries = s.appendEntry(next.entries, e)
	}
	next.hash = s.sealHash(next)
	_, err = s.q.exec(ctx, `INSERT INTO audit_seals (`+sealColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		next.n, next.first, next.last, next.entries, next.previous, next.hash, micros(now))
	if s.duplicate(err) {
		return 0, nil // another node sealed this stretch
	}
	return len(next.entries) / entrySize, s.fail("seal audit", err)
}

func (s *Store) lastSeal(ctx context.Context) (seal, error) {
	list, err := all(ctx, s, scanSeal, `SELECT `+sealColumns+` FROM audit_seals ORDER BY n DESC LIMIT 1`)
	if err != nil || len(list) == 0 {
		return seal{hash: make([]byte, 32)}, err
	}
	return list[0], nil
}

// lateRows finds rows in the gaps of the seals of the last hour.
func (s *Store) lateRows(ctx context.Context, before int64, now time.Time) ([]trailRow, error) {
	// Seals are large and gaps are rare: ask for one before reading any.
	var short int64
	if _, err := s.row(ctx, `SELECT COUNT(*) FROM audit_seals WHERE n > (SELECT MAX(n) FROM audit_seals) - 200 AND sealed_at > $1
		AND LENGTH(entries) < (last_seq - first_seq + 1) * 40`, []any{micros(now.Add(-lateWindow))}, &short); err != nil || short == 0 {
		return nil, err
	}
	recent, err := all(ctx, s, scanSeal, `SELECT `+sealColumns+` FROM audit_seals WHERE sealed_at > $1 ORDER BY n DESC LIMIT 200`, micros(now.Add(-lateWindow)))
	if err != nil {
		return nil, err
	}
	known := map[int64]bool{}
	for _, l := range recent {
		for seq := range entriesOf(l.entries) {
			known[seq] = true
		}
	}
	oldest := recent[len(recent)-1].first
	seqs, err := all(ctx, s, scanSeq, `SELECT seq FROM audit WHERE seq >= $1 AND seq < $2 ORDER BY seq`, oldest, before)
	if err != nil {
		return nil, err
	}
	var late []trailRow
	for _, seq := range seqs {
		if known[seq] {
			continue
		}
		rows, err := s.auditRange(ctx, seq, seq)
		if err != nil {
			return nil, err
		}
		late = append(late, rows...)
	}
	return late, nil
}

func scanSeq(scan func(...any) error) (seq int64, err error) { return seq, scan(&seq) }

func (s *Store) auditRange(ctx context.Context, first, last int64) ([]trailRow, error) {
	return all(ctx, s, scanTrailRow, `SELECT `+auditColumns+` FROM audit WHERE seq >= $1 AND seq <= $2 ORDER BY seq`, first, last)
}

func (s *Store) appendEntry(entries []byte, e trailRow) []byte {
	entries = binary.BigEndian.AppendUint64(entries, uint64(e.Seq))
	digest := s.rowDigest(e)
	return append(entries, digest[:]...)
}

// entriesOf yields seq and digest of each entry.
func entriesOf(entries []byte) map[int64]string {
	out := make(map[int64]string, len(entries)/entrySize)
	for ; len(entries) >= entrySize; entries = entries[entrySize:] {
		out[int64(binary.BigEndian.Uint64(entries))] = string(entries[8:entrySize])
	}
	return out
}

// rowDigest covers every column of a row.
func (s *Store) rowDigest(e trailRow) [32]byte {
	return s.chain.Sum([]byte("row"), number(e.Seq), []byte(e.ID), number(micros(e.At)), []byte(e.ActorKind), []byte(e.ActorID), []byte(e.ActorName),
		[]byte(e.ClientID), []byte(e.Source), []byte(e.RequestID), []byte(e.Action), []byte(e.TargetKind), []byte(e.TargetID), []byte(e.TargetName), []byte(e.detail))
}

func (s *Store) sealHash(l seal) []byte {
	sum := s.chain.Sum([]byte("seal"), number(l.n), number(l.first), number(l.last), number(micros(l.sealedAt)), l.previous, l.entries)
	return sum[:]
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// AuditReport is what a check of the trail found.
type AuditReport struct {
	Rows     int64 // sealed rows that were checked
	Seals    int64
	Unsealed int64  // rows behind the last seal
	Head     string // hash of the last seal, in hex: keep it elsewhere, and a later cut is seen too
	Findings []AuditFinding
}

// AuditFinding says what is wrong with the trail, and where.
type AuditFinding struct {
	Seal int64  // link of the chain
	Seq  int64  // row; 0: the link itself
	What string // "changed", "removed", "inserted", "seal changed", "seal missing"
}

// VerifyAudit checks every seal and every sealed row. expectHead may be the Head
// of an earlier report: it must still be in the chain.
func (s *Store) VerifyAudit(ctx context.Context, expectHead string) (AuditReport, error) {
	var r AuditReport
	pruned, err := s.prunedThrough(ctx)
	if err != nil {
		return r, s.fail("verify audit", err)
	}
	late, headSeen, err := s.verifyChain(ctx, &r, pruned, expectHead)
	if err != nil {
		return r, s.fail("verify audit", err)
	}
	if expectHead != "" && !headSeen {
		r.find(0, 0, "seal missing")
	}
	tip, err := s.verifyRows(ctx, &r, pruned, late)
	if err != nil {
		return r, s.fail("verify audit", err)
	}
	slices.SortFunc(r.Findings, func(a, b AuditFinding) int { return cmp.Or(cmp.Compare(a.Seal, b.Seal), cmp.Compare(a.Seq, b.Seq)) })
	_, err = s.row(ctx, `SELECT COUNT(*) FROM audit WHERE seq > $1`, []any{tip}, &r.Unsealed)
	return r, s.fail("verify audit", err)
}

func (r *AuditReport) find(n, seq int64, what string) {
	r.Findings = append(r.Findings, AuditFinding{Seal: n, Seq: seq, What: what})
}

// verifyChain checks the links and collects the rows that were sealed late.
func (s *Store) verifyChain(ctx context.Context, r *AuditReport, pruned prune, expectHead string) (late map[int64]string, headSeen bool, err error) {
	late = map[int64]string{}
	before := seal{hash: make([]byte, 32)}
	err = s.eachSeal(ctx, func(l seal) error {
		if r.Seals == 0 && l.n > 1 { // the beginning was pruned, if the trail says so
			before = seal{n: l.n - 1, last: l.first - 1, hash: l.previous}
			switch {
			case before.n > pruned.n:
				r.find(1, 0, "seal missing")
			case before.n == pruned.n:
				before.last, before.hash = pruned.seq, []byte(pruned.hash)
			}
		}
		if l.n != before.n+1 || l.first != before.last+1 {
			r.find(before.n+1, 0, "seal missing")
		} else if string(l.previous) != string(before.hash) || string(s.sealHash(l)) != string(l.hash) {
			r.find(l.n, 0, "seal changed")
		}
		for seq, digest := range entriesOf(l.entries) {
			if seq < l.first {
				late[seq] = digest
			}
		}
		if l.n == pruned.n && string(l.hash) != pruned.hash {
			r.find(l.n, 0, "seal changed")
		}
		before = l
		r.Seals++
		r.Head = hex.EncodeToString(l.hash)
		headSeen = headSeen || r.Head == expectHead
		return nil
	})
	if err == nil && r.Seals == 0 && pruned.n > 0 { // the last one is never pruned
		r.find(pruned.n+1, 0, "seal missing")
	}
	return late, headSeen, err
}

// verifyRows compares every sealed row with its digest. Rows of seals that are
// being pruned may be gone already.
func (s *Store) verifyRows(ctx context.Context, r *AuditReport, pruned prune, late map[int64]string) (tip int64, err error) {
	err = s.eachSeal(ctx, func(l seal) error {
		if tip == 0 { // nothing can be before the first seal
			before, err := all(ctx, s, scanSeq, `SELECT seq FROM audit WHERE seq < $1 ORDER BY seq LIMIT 100`, l.first)
			if err != nil {
				return err
			}
			for _, seq := range before {
				r.find(0, seq, "inserted")
			}
		}
		tip = l.last
		want := entriesOf(l.entries)
		for seq, digest := range late {
			if seq >= l.first && seq <= l.last {
				want[seq] = digest
			}
		}
		rows, err := s.auditRange(ctx, l.first, l.last)
		if err != nil {
			return err
		}
		for _, e := range rows {
			digest, sealed := want[e.Seq]
			got := s.rowDigest(e)
			switch {
			case !sealed:
				r.find(l.n, e.Seq, "inserted")
			case digest != string(got[:]):
				r.find(l.n, e.Seq, "changed")
			}
			delete(want, e.Seq)
			r.Rows++
		}
		for seq := range want {
			if seq >= l.first && l.n > pruned.n {
				r.find(l.n, seq, "removed")
			}
		}
		return nil
	})
	return tip, err
}

func (s *Store) eachSeal(ctx context.Context, f func(seal) error) error {
	after := int64(0)
	for {
		list, err := all(ctx, s, scanSeal, `SELECT `+sealColumns+` FROM audit_seals WHERE n > $1 ORDER BY n LIMIT 50`, after)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, l := range list {
			if err := f(l); err != nil {
				return err
			}
			after = l.n
		}
	}
}

// prune is the last seal that was removed at the end of its keeping: what is left
// of the chain goes on from it.
type prune struct {
	n, seq int64
	hash   string
}

// prunedThrough returns the last prune that the trail tells of. Anybody who can
// write to the database can write such a row, so only one under the chain's key
// counts; those from before there was the key in them do not.
func (s *Store) prunedThrough(ctx context.Context) (prune, error) {
	for before := int64(math.MaxInt64); ; {
		rows, err := all(ctx, s, scanTrailRow, `SELECT `+auditColumns+` FROM audit WHERE action = 'audit.pruned' AND seq < $1 ORDER BY seq DESC LIMIT 50`, before)
		if err != nil || len(rows) == 0 {
			return prune{}, err
		}
		for _, e := range rows {
			before = e.Seq
			detail := e.event().Detail
			n, _ := detail["through_seal"].(float64)
			seq, _ := detail["through_seq"].(float64)
			head, _ := detail["head"].(string)
			mac, _ := detail["mac"].(string)
			hash, err := hex.DecodeString(head)
			p := prune{int64(n), int64(seq), string(hash)}
			if err == nil && secret.Equal([]byte(mac), []byte(s.pruneMAC(p))) {
				return p, nil
			}
		}
	}
}

func (s *Store) pruneMAC(p prune) string {
	sum := s.chain.Sum([]byte("prune"), number(p.n), number(p.seq), []byte(p.hash))
	return hex.EncodeToString(sum[:])
}

// PruneAudit removes whole seals, and the rows they cover, that are older than
// keep. The trail says so first: whenever this stops half way, what is left
// verifies, and the next call goes on. It returns the number of rows removed.
func (s *Store) PruneAudit(ctx context.Context, keep time.Duration) (removed int64, err error) {
	cut := micros(s.now().Add(-keep))
	list, err := all(ctx, s, scanSeal, `SELECT `+sealColumns+` FROM audit_seals WHERE sealed_at < $1
		AND n < (SELECT MAX(n) FROM audit_seals) ORDER BY n DESC LIMIT 1`, cut)
	if err != nil || len(list) == 0 {
		return 0, s.fail("prune audit", err)
	}
	through := list[0]
	if string(s.sealHash(through)) != string(through.hash) { // somebody else's, which would have us remove what they like
		return 0, s.fail("prune audit", fmt.Errorf("seal %d was changed: run keystone audit verify", through.n))
	}
	if err := s.announcePrune(ctx, through); err != nil {
		return 0, s.fail("prune audit", err)
	}
	for {
		n, err := s.q.exec(ctx, `DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE seq <= $1 ORDER BY seq LIMIT 500)`, through.last)
		if err != nil {
			return removed, s.fail("prune audit", err)
		}
		removed += n
		if n < sweepBatch {
			break
		}
	}
	_, err = s.q.exec(ctx, `DELETE FROM audit_seals WHERE n <= $1`, through.n)
	return removed, s.fail("prune audit", err)
}

func (s *Store) announcePrune(ctx context.Context, through seal) error {
	return s.InTx(ctx, func(tx *Store) error {
		if done, err := tx.prunedThrough(ctx); err != nil || done.n >= through.n {
			return err
		}
		var rows int64
		if _, err := tx.row(ctx, `SELECT COUNT(*) FROM audit WHERE seq <= $1`, []any{through.last}, &rows); err != nil {
			return err
		}
		return tx.audit(ctx, keystone.System("retention"), keystone.AuditEvent{Action: keystone.ActAuditPruned, TargetKind: "server",
			Detail: map[string]any{"through_seal": through.n, "through_seq": through.last, "head": hex.EncodeToString(through.hash), "rows": rows,
				"mac": s.pruneMAC(prune{through.n, through.last, string(through.hash)})}})
	})
}

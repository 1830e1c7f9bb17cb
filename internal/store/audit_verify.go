package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"
)

// AuditReport is what a check of the trail found.
type AuditReport struct {
	Rows     int64 // sealed rows that were checked
	Seals    int64
	Unsealed int64  // rows behind the last seal
	Late     int64  // rows that were sealed more than lateSeal after they were written
	LateFrom int64  // the first of them
	Head     string // hash of the last seal, in hex: keep it elsewhere, and a later cut is seen too
	Findings []AuditFinding
}

// AuditFinding says what is wrong with the trail, and where.
type AuditFinding struct {
	Seal int64  // link of the chain
	Seq  int64  // row; 0: the link itself
	What string // "changed", "removed", "inserted", "seal changed", "seal missing", "head changed"
}

// lateSeal is when a row counts as sealed late: nodes seal every second. Rows of just
// before a stop, and of commands without a server, are; of a server that ran, none.
const lateSeal = 10 * time.Minute

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
	if err := s.verifyHead(ctx, &r); err != nil {
		return r, s.fail("verify audit", err)
	}
	tip, err := s.verifyRows(ctx, &r, pruned, late)
	if err != nil {
		return r, s.fail("verify audit", err)
	}
	slices.SortFunc(r.Findings, func(a, b AuditFinding) int { return cmp.Or(cmp.Compare(a.Seal, b.Seal), cmp.Compare(a.Seq, b.Seq)) })
	_, err = s.row(ctx, `SELECT COUNT(*) FROM audit WHERE seq > $1`, []any{tip}, &r.Unsealed)
	return r, s.fail("verify audit", err)
}

// verifyHead holds the newest seal against the head that was noted with it.
func (s *Store) verifyHead(ctx context.Context, r *AuditReport) error {
	head, ok, err := s.auditHead(ctx)
	if errors.Is(err, errHeadChanged) {
		r.find(0, 0, "head changed")
		return nil
	}
	if err != nil || !ok {
		return err
	}
	if tip, err := s.lastSeal(ctx); err != nil {
		return err
	} else if tip.n < head.n {
		for n := tip.n + 1; n <= head.n && n <= tip.n+100; n++ {
			r.find(n, 0, "seal missing")
		}
	}
	return nil
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
		for i := range rows {
			e := &rows[i]
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
			if l.sealedAt.Sub(e.At) > lateSeal {
				if r.Late++; r.LateFrom == 0 {
					r.LateFrom = e.Seq
				}
			}
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

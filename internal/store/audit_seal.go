package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
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
	if head, ok, err := s.auditHead(ctx); err != nil && !errors.Is(err, errHeadChanged) {
		return 0, s.fail("seal audit", err)
	} else if ok && head.n > tip.n {
		tip = head // the newest seals were taken away: what they covered is not sealed again, so the gap stays
	}
	now := s.now()
	next := seal{n: tip.n + 1, first: tip.last + 1, last: tip.last, previous: tip.hash, sealedAt: now}
	err = s.eachTrailRow(ctx, func(e *trailRow) bool {
		if e.Seq != next.last+1 && e.At.After(now.Add(-gapSettled)) {
			return false
		}
		next.last = e.Seq
		next.entries = s.appendEntry(next.entries, e)
		return true
	}, `SELECT `+auditColumns+` FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`, tip.last, sealBatch)
	if err != nil {
		return 0, s.fail("seal audit", err)
	}
	if len(next.entries) == 0 {
		return 0, nil
	}
	late, err := s.lateRows(ctx, next.first, now)
	if err != nil {
		return 0, s.fail("seal audit", err)
	}
	for i := range late {
		next.entries = s.appendEntry(next.entries, &late[i])
	}
	next.hash = s.sealHash(next)
	err = s.InTx(ctx, func(tx *Store) error {
		if _, err := tx.q.exec(ctx, `INSERT INTO audit_seals (`+sealColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			next.n, next.first, next.last, next.entries, next.previous, next.hash, micros(now)); err != nil {
			return err
		}
		return tx.keepAuditHead(ctx, next)
	})
	if s.duplicate(err) {
		return 0, nil // another node sealed this stretch
	}
	return len(next.entries) / entrySize, s.fail("seal audit", err)
}

// The head of the chain is noted beside it, so that the newest seals cannot be taken away
// unseen. Who can put back a whole older state, head and all, is only found by whoever
// keeps a head somewhere else (VerifyAudit).

func (s *Store) keepAuditHead(ctx context.Context, l seal) error {
	_, err := s.q.exec(ctx, `INSERT INTO meta (name, value) VALUES ('audit_head', $1) ON CONFLICT (name) DO UPDATE SET value = $1`, s.headText(l))
	return err
}

func (s *Store) headText(l seal) string {
	mac := s.chain.Sum([]byte("head"), number(l.n), number(l.last), l.hash)
	return fmt.Sprintf("%d %d %x %x", l.n, l.last, l.hash, mac)
}

// auditHead returns the newest seal that was noted; false: none was, as in a database of
// an earlier release, or what stands there was never written by Keystone.
func (s *Store) auditHead(ctx context.Context) (head seal, ok bool, err error) {
	var text string
	found, err := s.row(ctx, `SELECT value FROM meta WHERE name = 'audit_head'`, nil, &text)
	if err != nil || !found {
		return head, false, err
	}
	var mac []byte
	if _, err := fmt.Sscanf(text, "%d %d %x %x", &head.n, &head.last, &head.hash, &mac); err != nil || s.headText(head) != text {
		return seal{}, false, errHeadChanged
	}
	return head, true, nil
}

var errHeadChanged = errors.New("the head of the trail was changed")

// lastSeal returns the newest seal without its entries.
func (s *Store) lastSeal(ctx context.Context) (tip seal, err error) {
	found, err := s.row(ctx, `SELECT n, last_seq, hash FROM audit_seals ORDER BY n DESC LIMIT 1`, nil, &tip.n, &tip.last, &tip.hash)
	if err != nil || !found {
		return seal{hash: make([]byte, 32)}, err
	}
	return tip, nil
}

// lateRows finds rows in the gaps of the seals of the last hour.
func (s *Store) lateRows(ctx context.Context, before int64, now time.Time) ([]trailRow, error) {
	// Seals are large and gaps are rare: ask for one before reading any.
	var short int64
	// SQLite finds what stands behind the entries only by going through them: last.
	if _, err := s.row(ctx, `SELECT COUNT(*) FROM audit_seals WHERE n > (SELECT MAX(n) FROM audit_seals) - 200
		AND LENGTH(entries) < (last_seq - first_seq + 1) * 40 AND sealed_at > $1`, []any{micros(now.Add(-lateWindow))}, &short); err != nil || short == 0 {
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

func (s *Store) appendEntry(entries []byte, e *trailRow) []byte {
	if entries == nil {
		entries = make([]byte, 0, sealBatch*entrySize)
	}
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
func (s *Store) rowDigest(e *trailRow) [32]byte {
	return s.chain.SumText("row", string(number(e.Seq)), e.ID, string(number(micros(e.At))), string(e.ActorKind), e.ActorID, e.ActorName,
		e.ClientID, e.Source, e.RequestID, e.Action, e.TargetKind, e.TargetID, e.TargetName, e.detail)
}

func (s *Store) sealHash(l seal) []byte {
	sum := s.chain.Sum([]byte("seal"), number(l.n), number(l.first), number(l.last), number(micros(l.sealedAt)), l.previous, l.entries)
	return sum[:]
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

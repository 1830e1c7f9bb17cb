package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

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
func (s *Store) PruneAudit(ctx context.Context, keep time.Duration) (int64, error) {
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
	removed := map[string]int64{}
	if err := s.sweepAll(ctx, removed, "audit", `DELETE FROM audit WHERE seq`, `SELECT seq FROM audit WHERE seq <= $1 ORDER BY seq`, through.last); err != nil {
		return removed["audit"], err
	}
	_, err = s.q.exec(ctx, `DELETE FROM audit_seals WHERE n <= $1`, through.n)
	return removed["audit"], s.fail("prune audit", err)
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

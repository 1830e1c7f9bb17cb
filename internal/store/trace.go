package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keystone-auth/keystone"
)

// TraceRetention is how long it can be asked why a request was refused.
const TraceRetention = 24 * time.Hour

// AddTraces stores why requests were refused.
func (s *Store) AddTraces(ctx context.Context, list []keystone.Trace) error {
	err := s.InTx(ctx, func(tx *Store) error {
		for _, t := range list {
			body, err := json.Marshal(t)
			if err != nil {
				return err
			}
			_, err = tx.q.exec(ctx, `INSERT INTO traces (id, request_id, at, body) VALUES ($1, $2, $3, $4)`, t.ID, t.RequestID, micros(t.At), string(body))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return s.fail("add traces", err)
}

// Traces returns why requests with the id were refused, newest first, at most
// 20: an id that the caller chose may have come more than once.
func (s *Store) Traces(ctx context.Context, requestID string) ([]keystone.Trace, error) {
	list, err := all(ctx, s, func(scan func(...any) error) (t keystone.Trace, err error) {
		var body string
		if err = scan(&body); err == nil {
			err = json.Unmarshal([]byte(body), &t)
		}
		return t, err
	}, `SELECT body FROM traces WHERE request_id = $1 AND at > $2 ORDER BY at DESC, id DESC LIMIT 20`, requestID, micros(s.now().Add(-TraceRetention)))
	if err == nil && len(list) == 0 {
		err = notFound("refused request with this id in the last day")
	}
	return list, s.fail("read traces", err)
}

package store

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/keystone-auth/keystone"
)

const insertAudit = `INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

// auditRow is the statement that adds an event. Every write calls it in its own
// transaction; there is no other way into the trail.
func (s *Store) auditRow(by keystone.Actor, e keystone.AuditEvent) addition {
	now := s.now()
	detail := encodeDetail(e.Detail)
	client := by.ClientID
	if by.Kind == keystone.ActorClient {
		client = by.ID
	}
	return addition{insertAudit, []any{
		keystone.NewID(now), micros(now), string(by.Kind), by.ID, by.Name, client, by.Source, by.RequestID,
		e.Action, e.TargetKind, e.TargetID, e.TargetName, detail,
	}}
}

// encodeDetail is the stored form of a detail: keys sorted, so that the same
// detail is always the same text.
func encodeDetail(detail map[string]any) string {
	if len(detail) == 0 {
		return "{}"
	}
	if len(detail) == 1 { // what hot paths write: nothing in an id needs quoting
		for name, value := range detail {
			if id, ok := value.(string); ok && keystone.IsID(id) && plainName(name) {
				return `{"` + name + `":"` + id + `"}`
			}
		}
	}
	b, err := json.Marshal(detail)
	if err != nil {
		return `{"error":"detail could not be encoded"}`
	}
	return string(b)
}

// plainName reports whether JSON writes name as it is.
func plainName(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) < 0
}

// audit adds an event to the open transaction.
func (s *Store) audit(ctx context.Context, by keystone.Actor, e keystone.AuditEvent) error {
	add := s.auditRow(by, e)
	_, err := s.q.exec(ctx, add.sql, add.args...)
	return err
}

// Record adds an event that accompanies no change, such as a refused sign-in.
func (s *Store) Record(ctx context.Context, by keystone.Actor, e keystone.AuditEvent) error {
	add := s.auditRow(by, e)
	_, err := s.hot(ctx, &hotWrite{alike: true, sql: add.sql, args: add.args})
	return s.fail("record", err)
}

// AuditEvents lists the trail, newest first.
func (s *Store) AuditEvents(ctx context.Context, f keystone.AuditFilter, p keystone.Page) (keystone.List[keystone.AuditEvent], error) {
	var none keystone.List[keystone.AuditEvent]
	before := int64(1<<63 - 1)
	if p.After != "" {
		n, err := strconv.ParseInt(p.After, 10, 64)
		if err != nil {
			return none, errCursor
		}
		before = n
	}
	where, args := auditWhere(f, before)
	args = append(args, p.Size()+1)
	events, err := all(ctx, s, scanAudit, `SELECT `+auditColumns+` FROM audit WHERE `+where+` ORDER BY seq DESC LIMIT $`+strconv.Itoa(len(args)), args...)
	if err != nil {
		return none, s.fail("list audit", err)
	}
	return page(events, p.Size(), func(e keystone.AuditEvent) string { return strconv.FormatInt(e.Seq, 10) }), nil
}

// auditWhere builds the condition from fixed pieces; values are always bound.
func auditWhere(f keystone.AuditFilter, before int64) (string, []any) {
	where, args := []string{"seq < $1"}, []any{before}
	bind := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	if !f.From.IsZero() {
		where = append(where, "at >= "+bind(micros(f.From)))
	}
	if !f.To.IsZero() {
		where = append(where, "at < "+bind(micros(f.To)))
	}
	if f.Actor != "" {
		if keystone.IsClientID(f.Actor) && f.Actor != keystone.FirstPartyClientID {
			where = append(where, "actor_id = "+bind(f.Actor))
		} else {
			where = append(where, "actor_name = "+bind(f.Actor))
		}
	}
	if f.Target != "" {
		if keystone.IsClientID(f.Target) && f.Target != keystone.FirstPartyClientID {
			where = append(where, "target_id = "+bind(f.Target))
		} else {
			where = append(where, "target_name = "+bind(f.Target))
		}
	}
	if strings.HasSuffix(f.Action, ".") {
		where = append(where, "action >= "+bind(f.Action)+" AND action < "+bind(f.Action[:len(f.Action)-1]+"/"))
	} else if f.Action != "" {
		where = append(where, "action = "+bind(f.Action))
	}
	return strings.Join(where, " AND "), args
}

const auditColumns = `seq, id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail`

// trailRow is an event with its detail as it is stored, for the seal.
type trailRow struct {
	keystone.AuditEvent
	detail string
}

func scanTrailRow(scan func(...any) error) (e trailRow, err error) {
	var at int64
	var kind string
	err = scan(&e.Seq, &e.ID, &at, &kind, &e.ActorID, &e.ActorName, &e.ClientID, &e.Source, &e.RequestID, &e.Action, &e.TargetKind, &e.TargetID, &e.TargetName, &e.detail)
	e.At, e.ActorKind = moment(at), keystone.ActorKind(kind)
	if json.Unmarshal([]byte(e.detail), &e.Detail) != nil {
		e.Detail = nil // somebody wrote over it; the seal will tell
	}
	return e, err
}

func scanAudit(scan func(...any) error) (keystone.AuditEvent, error) {
	e, err := scanTrailRow(scan)
	return e.AuditEvent, err
}

// page cuts the one row too many that says that there is a next page.
func page[T any](items []T, size int, key func(T) string) keystone.List[T] {
	if len(items) <= size {
		return keystone.List[T]{Items: items}
	}
	items = items[:size]
	return keystone.List[T]{Items: items, Next: key(items[size-1])}
}

var errCursor = keystone.FailField("cursor", "This cursor is not one of ours. Start again without it.")

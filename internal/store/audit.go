package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
)

const insertAudit = `INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, client_id, source, request_id, action, target_kind, target_id, target_name, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

// auditRow is the statement that adds an event. Every write calls it in its own
// transaction; there is no other way into the trail.
func (s *Store) auditRow(by keystone.Actor, e keystone.AuditEvent) addition {
	now := s.now()
	most := math.MaxInt
	if by.Kind == keystone.ActorRegistration || by.Kind == keystone.ActorSystem {
		most = maxDetail
	}
	detail := encodeDetail(e.Detail, most)
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
// detail is always the same text. One that is longer than most is shortened.
func encodeDetail(detail map[string]any, most int) string {
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
	if err == nil && len(b) > most {
		b, err = json.Marshal(shortened(b))
	}
	if err != nil {
		return `{"error":"detail could not be encoded"}`
	}
	return string(b)
}

// maxDetail bounds what an event of somebody who registered by themselves says, and what is
// said when the server clears away after them, in bytes: rows of the trail live long, and
// strangers choose what is in these.
const maxDetail = 16 << 10

// shortened is a detail without its long texts and lists: of what was before and what is
// after, lists show what differs, and the name of every setting is there.
func shortened(detail []byte) map[string]any {
	short := map[string]any{"shortened": weighed(detail)}
	var whole map[string]any
	if err := json.Unmarshal(detail, &whole); err != nil {
		return short
	}
	before, _ := whole["before"].(map[string]any)
	after, _ := whole["after"].(map[string]any)
	for name := range before {
		was, _ := before[name].([]any)
		is, both := after[name].([]any)
		if was != nil && both {
			before[name], after[name] = without(was, is), without(is, was)
		}
	}
	for name, value := range whole {
		if settings, ok := value.(map[string]any); ok {
			for setting, v := range settings {
				settings[setting] = shorter(v, maxDetail/len(whole)/len(settings))
			}
			short[name] = settings
			continue
		}
		short[name] = shorter(value, maxDetail/len(whole))
	}
	return short
}

// weighed stands for what is left out.
func weighed(text []byte) map[string]any {
	sum := sha256.Sum256(text)
	return map[string]any{"bytes": len(text), "sha256": hex.EncodeToString(sum[:])}
}

// without is what is in list and not in other.
func without(list, other []any) []any {
	left := []any{}
	for _, v := range list {
		if !slices.ContainsFunc(other, func(o any) bool { return reflect.DeepEqual(v, o) }) {
			left = append(left, v)
		}
	}
	if same := len(list) - len(left); same > 0 {
		left = append(left, fmt.Sprintf("and %d that stay", same))
	}
	return left
}

// shorter cuts a value of JSON to about so many bytes.
func shorter(value any, most int) any {
	switch v := value.(type) {
	case string:
		if cut := clipped(v, max(most, 16)); cut != v {
			return cut + "…"
		}
	case []any:
		cut := []any{}
		for i, one := range v {
			if most < 32 {
				return append(cut, fmt.Sprintf("and %d more", len(v)-i))
			}
			one = shorter(one, min(most, 200))
			if text, ok := one.(string); ok {
				most -= len(text)
			} else {
				most -= 200
			}
			cut = append(cut, one)
		}
		return cut
	case map[string]any: // its names are theirs too: members of a key, for one
		if text, err := json.Marshal(v); err != nil || len(text) > most {
			return weighed(text)
		}
	}
	return value
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
	before := int64(math.MaxInt64)
	if p.After != "" {
		n, err := strconv.ParseInt(p.After, 10, 64)
		if err != nil {
			return keystone.List[keystone.AuditEvent]{}, errCursor
		}
		before = n
	}
	events, err := s.auditEvents(ctx, f, before, p.Size()+1)
	return page(events, p.Size(), func(e keystone.AuditEvent) string { return strconv.FormatInt(e.Seq, 10) }), s.fail("list audit", err)
}

// nameWindow is how many rows are looked through for a name: those of the trail have
// no index by name, which every write would pay for.
const nameWindow = 50_000

// party is one of the ways in which a row is by, or about, somebody.
type party struct {
	column, value string
	byID, byName  bool // by which of them; the zero value: whoever it is

	owner string // of a family of refresh tokens: only its uses are meant, which are the owner's
	since int64  // the first row that may be meant
}

// inAbout is the condition of the index audit_about, word for word: without it no search
// by target can use the index. What it leaves out, familyParty finds.
const inAbout = `(action <> 'token.refreshed' OR detail <> '{}')`

// auditEvents returns the newest rows before one, at most limit. Each way in which a
// row can be meant is a range of an index of its own.
func (s *Store) auditEvents(ctx context.Context, f keystone.AuditFilter, before int64, limit int) ([]keystone.AuditEvent, error) {
	low, before, err := s.auditBounds(ctx, f, before)
	if err != nil || low >= before {
		return nil, err
	}
	actors, err := s.parties(ctx, "actor", f.Actor)
	if err != nil {
		return nil, err
	}
	targets, err := s.parties(ctx, "target", f.Target)
	if err != nil {
		return nil, err
	}
	if keystone.IsID(f.Target) && f.HasAction(keystone.ActTokenRefreshed) {
		uses, err := s.familyParty(ctx, f.Target, before)
		if err != nil {
			return nil, err
		}
		targets = append(targets, uses...)
	}
	var events []keystone.AuditEvent
	for _, actor := range actors {
		for _, target := range targets {
			from := max(low, target.since)
			if (actor.byName || target.byName) && !actor.byID && !target.byID {
				from = max(low, before-nameWindow)
			}
			where, args := auditWhere(f, from, before, actor, target)
			args = append(args, limit)
			list, err := all(ctx, s, scanAudit, `SELECT `+auditColumns+` FROM audit WHERE `+where+` ORDER BY seq DESC LIMIT $`+strconv.Itoa(len(args)), args...)
			if err != nil {
				return nil, err
			}
			events = append(events, list...)
		}
	}
	slices.SortFunc(events, func(a, b keystone.AuditEvent) int { return cmp.Compare(b.Seq, a.Seq) })
	events = slices.CompactFunc(events, func(a, b keystone.AuditEvent) bool { return a.Seq == b.Seq })
	return events[:min(limit, len(events))], nil
}

// auditBounds returns the rows [low, high) before one that can be in the time of a
// filter. Rows are numbered in about the order of their times: nodes may be a minute
// apart.
func (s *Store) auditBounds(ctx context.Context, f keystone.AuditFilter, before int64) (low, high int64, err error) {
	if high, err = s.auditEnd(ctx, before); err != nil {
		return 0, 0, err
	}
	if !f.From.IsZero() {
		first, found, err := s.firstAudit(ctx, f.From, high)
		if err != nil || !found {
			return 0, 0, err
		}
		low = first
	}
	if !f.To.IsZero() {
		if first, found, err := s.firstAudit(ctx, f.To.Add(2*auditSkew), high); err != nil {
			return 0, 0, err
		} else if found {
			high = min(high, first)
		}
	}
	return low, high, nil
}

const auditSkew = time.Minute

// auditEnd returns the number after the last row before one; 0: there is none.
func (s *Store) auditEnd(ctx context.Context, before int64) (end int64, err error) {
	_, err = s.row(ctx, `SELECT seq + 1 FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT 1`, []any{before}, &end)
	return end, err
}

// auditProbe is how many rows are looked at in one place: a node whose clock was behind for
// a while may have written a stretch of them.
const auditProbe = 100

// firstAudit returns the number of the first row of [1, below) that has this time, or a
// later one; the trail is in about the order of its times. It halves the trail: there is
// no index by time, which every write would pay for.
func (s *Store) firstAudit(ctx context.Context, at time.Time, below int64) (seq int64, found bool, err error) {
	limit := micros(at.Add(-auditSkew))
	for low, high := int64(1), below; low < high; {
		var last, first int64 // of the rows looked at; of those that are late enough
		middle := low + (high-low)/2
		if _, err := s.row(ctx, `SELECT COALESCE(MAX(seq), 0), COALESCE(MIN(CASE WHEN at >= $1 THEN seq END), 0)
			FROM (SELECT seq, at FROM audit WHERE seq >= $2 AND seq < $3 ORDER BY seq LIMIT $4) AS probe`, []any{limit, middle, high, auditProbe}, &last, &first); err != nil {
			return 0, false, err
		}
		switch {
		case first > 0:
			seq, found, high = first, true, middle
		case last > 0:
			low = last + 1
		default:
			high = middle
		}
	}
	return seq, found, nil
}

// parties says which rows an id or a name means: those with the ids that have the
// name now, and those with the name itself.
func (s *Store) parties(ctx context.Context, side, name string) ([]party, error) {
	if name == "" {
		return []party{{}}, nil
	}
	if keystone.IsClientID(name) && name != keystone.FirstPartyClientID {
		return []party{{column: side + "_id", value: name, byID: true}}, nil
	}
	list := []party{{column: side + "_name", value: name, byName: true}}
	var ids []string
	if column, key, err := loginKey(name); err == nil {
		if ids, err = s.texts(ctx, `SELECT id FROM users WHERE `+column+` = $1`, key); err != nil {
			return nil, err
		}
	}
	clients, err := s.texts(ctx, `SELECT id FROM clients WHERE name_key = $1 AND name = $2 ORDER BY id LIMIT 5`, searchTerm(name), name)
	for _, id := range append(ids, clients...) {
		list = append(list, party{column: side + "_id", value: id, byID: true})
	}
	return list, err
}

// familyParty is how uses of the refresh tokens of a family stand in the trail, where id is
// that of one: its owner has done them, since it began.
func (s *Store) familyParty(ctx context.Context, id string, before int64) ([]party, error) {
	owner, err := s.ownerOfFamily(ctx, id)
	if err != nil || owner == "" {
		return nil, err
	}
	p := party{column: "target_id", value: id, byID: true, owner: owner}
	if begun, ok := keystone.IDTime(id); ok {
		first, found, err := s.firstAudit(ctx, begun, before)
		if err != nil || !found {
			return nil, err
		}
		p.since = first
	}
	return []party{p}, nil
}

// ownerOfFamily returns whose family of refresh tokens an id is; "": that of none, or of
// one that was never used. The trail knows the owner longer than the family lives.
func (s *Store) ownerOfFamily(ctx context.Context, id string) (owner string, err error) {
	if found, err := s.row(ctx, `SELECT user_id FROM grants WHERE id = $1`, []any{id}, &owner); found || err != nil {
		return owner, err
	}
	_, err = s.row(ctx, `SELECT actor_id FROM audit WHERE target_id = $1 AND `+inAbout+` AND action IN (
		'`+keystone.ActTokenRefreshed+`', '`+keystone.ActCodeRedeemed+`', '`+keystone.ActAuthorizationRedeemed+`', '`+keystone.ActTokenAsserted+`') LIMIT 1`, []any{id}, &owner)
	return owner, err
}

// auditWhere builds the condition from fixed pieces; values are always bound.
func auditWhere(f keystone.AuditFilter, low, before int64, parties ...party) (string, []any) {
	where, args := []string{"seq < $1 AND seq >= $2"}, []any{before, low}
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
	for _, p := range parties {
		if p.column != "" {
			where = append(where, p.column+" = "+bind(p.value))
		}
		switch {
		case p.owner != "":
			where = append(where, "actor_id = "+bind(p.owner)+" AND action = '"+keystone.ActTokenRefreshed+"'")
		case p.column == "target_id":
			where = append(where, inAbout)
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

// trailRow is an event whose detail is as it is stored, for the seal.
type trailRow struct {
	keystone.AuditEvent
	detail string
}

// into is where a row is read to.
func (e *trailRow) into(at *int64, kind *string) []any {
	return []any{&e.Seq, &e.ID, at, kind, &e.ActorID, &e.ActorName, &e.ClientID, &e.Source, &e.RequestID, &e.Action, &e.TargetKind, &e.TargetID, &e.TargetName, &e.detail}
}

func scanTrailRow(scan func(...any) error) (e trailRow, err error) {
	var at int64
	var kind string
	err = scan(e.into(&at, &kind)...)
	e.At, e.ActorKind = moment(at), keystone.ActorKind(kind)
	return e, err
}

// eachTrailRow calls f with each row of a query, until it returns false. It is one row over
// and over: the seal reads every row of the trail, and keeps none.
func (s *Store) eachTrailRow(ctx context.Context, f func(*trailRow) bool, sql string, args ...any) error {
	return s.q.query(ctx, func(r rows) error {
		var e trailRow
		var at int64
		var kind string
		into := e.into(&at, &kind)
		for r.Next() {
			if err := r.Scan(into...); err != nil {
				return err
			}
			e.At, e.ActorKind = moment(at), keystone.ActorKind(kind)
			if !f(&e) {
				return nil
			}
		}
		return r.Err()
	}, sql, args...)
}

func scanAudit(scan func(...any) error) (keystone.AuditEvent, error) {
	e, err := scanTrailRow(scan)
	return e.event(), err
}

// event is the row with its detail read.
func (e trailRow) event() keystone.AuditEvent {
	if json.Unmarshal([]byte(e.detail), &e.Detail) != nil {
		e.Detail = nil // somebody wrote over it; the seal will tell
	}
	return e.AuditEvent
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

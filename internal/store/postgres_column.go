package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// column is one parameter of a statement for many rows: the value that each row has at
// one place. It goes to PostgreSQL as an array, straight from the rows: pgx would have
// every column as a slice of its own, and look at every element by reflection.
type column struct {
	rows [][]any
	at   int
	size int // bytes of all columns of the statement; on its first one
}

// String keeps what the rows say out of errors.
func (c column) String() string { return fmt.Sprintf("place %d of %d rows", c.at, len(c.rows)) }

// GoString is String.
func (c column) GoString() string { return c.String() }

// columns appends a parameter for each place of the rows.
func columns(to []any, rows [][]any) []any {
	for i := range rows[0] {
		to = append(to, column{rows: rows, at: i})
	}
	first := to[0].(column)
	first.size += sizeOf(rows)
	to[0] = first
	return to
}

// sizeOf is how long rows are as an array for each of their places.
func sizeOf(rows [][]any) int {
	n := 20 * len(rows[0])
	for _, row := range rows {
		for _, v := range row {
			switch v := v.(type) {
			case string:
				n += 4 + len(v)
			case []byte:
				n += 4 + len(v)
			default:
				n += 12
			}
		}
	}
	return n
}

// room is a message of no bytes that makes room for others: what is sent next goes to a
// buffer that has grown once, where pgx would let it grow from a kilobyte each time.
type room int

// Frontend marks a message of ours.
func (room) Frontend() {}

// Decode is for messages that are read; these never are.
func (room) Decode([]byte) error { return errors.ErrUnsupported }

// Encode appends nothing.
func (n room) Encode(b []byte) ([]byte, error) { return slices.Grow(b, int(n)), nil }

// writesColumns is what is done to a new connection, which then can write columns.
func writesColumns(also func(context.Context, *pgx.Conn) error) func(context.Context, *pgx.Conn) error {
	return func(ctx context.Context, conn *pgx.Conn) error {
		registerColumns(conn.TypeMap())
		return also(ctx, conn)
	}
}

// registerColumns lets a connection write columns of the types that columnType names.
func registerColumns(m *pgtype.Map) {
	for _, t := range [...]struct{ array, element uint32 }{
		{pgtype.TextArrayOID, pgtype.TextOID}, {pgtype.Int8ArrayOID, pgtype.Int8OID}, {pgtype.ByteaArrayOID, pgtype.ByteaOID},
	} {
		if known, ok := m.TypeForOID(t.array); ok {
			m.RegisterType(&pgtype.Type{Name: known.Name, OID: t.array, Codec: columnCodec{known.Codec, t.element}})
		}
	}
}

// columnCodec writes columns, and leaves all else to pgx.
type columnCodec struct {
	pgtype.Codec
	element uint32
}

// PlanEncode returns the plan for a value.
func (c columnCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(column); ok && format == pgtype.BinaryFormatCode {
		return columnPlan(c.element)
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

// columnPlan writes columns of elements of a type.
type columnPlan uint32

// Encode appends a column as array_recv reads it: dimensions, whether there are NULLs, the
// type, and of the one dimension length and lower bound; then each element after its length.
func (p columnPlan) Encode(value any, b []byte) ([]byte, error) {
	c := value.(column)
	b = slices.Grow(b, c.size)
	for _, n := range [...]uint32{1, 0, uint32(p), uint32(len(c.rows)), 1} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	for _, row := range c.rows {
		switch v := row[c.at].(type) {
		case string:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
		case int64:
			b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(v))
		default:
			return nil, fmt.Errorf("store: a write that is alike has a parameter of type %T", v) // a mistake in this package, seen by its tests
		}
	}
	return b, nil
}

package store

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// TestColumns: what goes to PostgreSQL is what pgx would have sent of slices.
func TestColumns(t *testing.T) {
	own, theirs := pgtype.NewMap(), pgtype.NewMap()
	registerColumns(own)
	rows := [][]any{
		{"", []byte{}, int64(0)},
		{"grün", []byte{0, 255}, int64(-1)},
		{strings.Repeat("x", 5000), bytes.Repeat([]byte{7}, 300), int64(1) << 62},
	}
	slices := []any{[]string{}, [][]byte{}, []int64{}}
	for _, row := range rows {
		slices[0] = append(slices[0].([]string), row[0].(string))
		slices[1] = append(slices[1].([][]byte), row[1].([]byte))
		slices[2] = append(slices[2].([]int64), row[2].(int64))
	}
	args, total := columns(nil, rows), 0
	for i, oid := range []uint32{pgtype.TextArrayOID, pgtype.ByteaArrayOID, pgtype.Int8ArrayOID} {
		if own.FormatCodeForOID(oid) != pgtype.BinaryFormatCode {
			t.Errorf("type %d is not sent in binary", oid)
		}
		want, err := theirs.Encode(oid, pgtype.BinaryFormatCode, slices[i], nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := own.Encode(oid, pgtype.BinaryFormatCode, args[i], []byte("before"))
		if err != nil || string(got) != "before"+string(want) {
			t.Errorf("type %d: %x, want %x (%v)", oid, got, want, err)
		}
		total += len(want)
		if plain, err := own.Encode(oid, pgtype.BinaryFormatCode, slices[i], nil); err != nil || !bytes.Equal(plain, want) {
			t.Errorf("type %d: a slice is %x (%v)", oid, plain, err)
		}
	}
	if size := args[0].(column).size; size != total {
		t.Errorf("room for %d bytes, needed %d", size, total)
	}
	if _, err := own.Encode(pgtype.TextArrayOID, pgtype.BinaryFormatCode, column{rows: [][]any{{3.5}}}, nil); err == nil {
		t.Error("a value of a type that no column has was written")
	}
}

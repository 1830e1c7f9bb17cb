package keystone_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
)

func asError(err error, e **keystone.Error) bool { return errors.As(err, e) }

func TestErrorCopies(t *testing.T) {
	base := keystone.FailField("name", "why")
	changed := base.WithCode("invalid_scope").Because(io.EOF).After(time.Second).WithFields(map[string]string{"other": "because"})
	if base.Code != "" || base.Err != nil || base.RetryAfter != 0 || len(base.Fields) != 1 {
		t.Fatalf("a shared error was changed: %+v", base)
	}
	if changed.Code != "invalid_scope" || changed.RetryAfter != time.Second || len(changed.Fields) != 2 || !errors.Is(changed, io.EOF) {
		t.Fatalf("got %+v", changed)
	}
	if got, want := changed.Error(), base.Msg+"; name: why; other: because: EOF"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if f := keystone.Fail(keystone.Conflict, "x").WithFields(map[string]string{"a": "b"}).Fields; f["a"] != "b" {
		t.Fatalf("got %v", f)
	}
}

func TestKindOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want keystone.Kind
	}{
		{nil, keystone.Unknown},
		{io.EOF, keystone.Unknown},
		{keystone.Fail(keystone.Stale, "x"), keystone.Stale},
		{fmt.Errorf("call: %w", keystone.Fail(keystone.Limited, "x")), keystone.Limited},
		{keystone.Fail(keystone.Unavailable, "x").Because(keystone.Fail(keystone.NotFound, "y")), keystone.Unavailable},
	} {
		if got := keystone.KindOf(test.err); got != test.want {
			t.Errorf("KindOf(%v) = %d, want %d", test.err, got, test.want)
		}
	}
}

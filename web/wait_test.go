package web_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/web"
)

func TestWait(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		time.Millisecond: "[wait.seconds n 2]", time.Second: "[wait.seconds n 2]", 1500 * time.Millisecond: "[wait.seconds n 2]", 30 * time.Second: "[wait.seconds n 30]", 90 * time.Second: "[wait.seconds n 90]",
		91 * time.Second: "[wait.minutes n 2]", time.Hour: "[wait.minutes n 60]", 90 * time.Minute: "[wait.minutes n 90]", 91 * time.Minute: "[wait.hours n 2]", 24 * time.Hour: "[wait.hours n 24]",
	} {
		e := keystone.Fail(keystone.Limited, "x").After(wait)
		if got := fmt.Sprint(web.Wait(e)); got != want {
			t.Errorf("%s: %s, want %s", wait, got, want)
		}
	}
	if web.Wait(nil) != nil || web.Wait(keystone.Fail(keystone.Invalid, "x")) != nil {
		t.Error("says to wait where nothing is over by itself")
	}
}

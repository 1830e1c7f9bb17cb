package oauth

import (
	"cmp"
	"reflect"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
)

// TestRegistrable: what a client may register by itself is a setting that there is, and
// nothing of it is fixed.
func TestRegistrable(t *testing.T) {
	settings := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[keystone.ClientSettings]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		settings[name] = true
	}
	for name, setting := range registrable {
		if !settings[cmp.Or(setting, name)] {
			t.Errorf("%s: there is no such setting", name)
		}
		if _, too := fixed[name]; too {
			t.Errorf("%s is a client's to choose, and fixed", name)
		}
	}
}

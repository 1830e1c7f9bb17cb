package store_test

import (
	"testing"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
	"github.com/keystone-auth/keystone/internal/store/storetest"
)

// TestSameAgain: a change that changes nothing writes nothing: the version stays, so nobody
// else's change is refused for it, and the trail has no row that says nothing.
func TestSameAgain(t *testing.T) {
	storetest.EachDB(t, func(t *testing.T, s *store.Store, _ *storetest.Clock) {
		scope := must[keystone.Scope](t)(s.CreateScope(ctx, operator, keystone.Scope{Name: "orders:read", Description: "x"}))
		role := newRole(t, s, "reader", "orders:read")
		service, _ := newService(t, s, "orders:read")
		web, _, err := s.CreateClient(ctx, operator, keystone.Client{Name: "shop", Kind: keystone.ClientWeb, Enabled: true, RedirectURIs: []string{"https://shop.example/cb"}})
		ok(t, err)
		before := len(trail(t, s))
		for name, same := range map[string]func() (version, want int64, err error){
			"scope": func() (int64, int64, error) {
				now, err := s.UpdateScope(ctx, operator, scope.ID, scope.Version, "x")
				return now.Version, scope.Version, err
			},
			"role": func() (int64, int64, error) {
				now, err := s.UpdateRole(ctx, operator, role.ID, role.Version, store.RolePatch{Name: ptr("reader"), Scopes: &[]string{"orders:read"}})
				return now.Version, role.Version, err
			},
			"service": func() (int64, int64, error) {
				now, err := s.UpdateClient(ctx, operator, service.ID, service.Version, func(c *keystone.Client) { c.Name, c.Enabled = "service", true })
				return now.Version, service.Version, err
			},
			"application": func() (int64, int64, error) {
				now, err := s.UpdateClient(ctx, operator, web.ID, web.Version, func(*keystone.Client) {})
				return now.Version, web.Version, err
			},
		} {
			for range 2 {
				if version, want, err := same(); err != nil || version != want {
					t.Errorf("%s: version %d, want %d (%v)", name, version, want, err)
				}
			}
		}
		if n := len(trail(t, s)); n != before {
			t.Errorf("%d rows of the trail for nothing", n-before)
		}
		if now, err := s.UpdateScope(ctx, operator, scope.ID, scope.Version, "y"); err != nil || now.Version != scope.Version+1 {
			t.Errorf("a change: %+v %v", now, err)
		}
		if now, err := s.UpdateClient(ctx, operator, web.ID, web.Version, func(c *keystone.Client) { c.Name = "store" }); err != nil || now.Version != web.Version+1 {
			t.Errorf("a change: %+v %v", now, err)
		}
	})
}

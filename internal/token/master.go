package token

import (
	"context"
	"fmt"

	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// CheckMaster refuses a master key that is not the one of the database: by the id that
// is noted of it, and by a signing key. A database that has neither tells nothing.
func CheckMaster(ctx context.Context, s *store.Store, master secret.MasterKey) error {
	id, err := s.MasterID(ctx)
	if err != nil {
		return err
	}
	if id != "" && id != master.ID() {
		return fmt.Errorf("The database does not open with this MASTER_KEY, whose id is %s; use the one that the database was made with, whose id is %s", master.ID(), id)
	}
	keys, err := s.SigningKeys(ctx)
	if err != nil || len(keys) == 0 {
		return err
	}
	_, err = (&Ring{o: RingOptions{Master: master}}).open(keys[len(keys)-1])
	return err
}

// KeepMaster is CheckMaster of who is going to write under the key, and notes its id,
// so that no other is taken later.
func KeepMaster(ctx context.Context, s *store.Store, master secret.MasterKey) error {
	if err := CheckMaster(ctx, s, master); err != nil {
		return err
	}
	if err := s.KeepMasterID(ctx, master.ID()); err != nil {
		return err
	}
	return CheckMaster(ctx, s, master) // somebody with another key may have been first
}

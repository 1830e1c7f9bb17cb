package store

import "context"

// MasterID returns the id of the master key that the database was begun with; empty
// where none is noted yet, as in a database of an earlier release.
func (s *Store) MasterID(ctx context.Context) (id string, err error) {
	_, err = s.row(ctx, `SELECT value FROM meta WHERE name = 'master_key'`, nil, &id)
	return id, s.fail("read the id of the master key", err)
}

// KeepMasterID notes the id of the master key, where none is noted yet: of nodes that
// start together the first does.
func (s *Store) KeepMasterID(ctx context.Context, id string) error {
	_, err := s.q.exec(ctx, `INSERT INTO meta (name, value) VALUES ('master_key', $1) ON CONFLICT (name) DO NOTHING`, id)
	return s.fail("note the id of the master key", err)
}

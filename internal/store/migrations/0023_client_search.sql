-- Clients are found by the beginning of their name, which name_key has as it is
-- compared, and by their kind; and when one was last used is in the newest hour of its usage.

-- +goose Up
ALTER TABLE clients ADD COLUMN name_key {{KEY}} NOT NULL DEFAULT '';
CREATE INDEX clients_name ON clients (name_key, id);
CREATE INDEX clients_kind ON clients (kind);
CREATE INDEX usage_client ON usage (client_id, hour);

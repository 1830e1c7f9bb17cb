-- client_secret_jwt (RFC 7523) needs the secret itself, which is sealed under the
-- master key for clients of that method and for no others.

-- +goose Up
ALTER TABLE client_secrets ADD COLUMN sealed BYTEA NOT NULL DEFAULT '';

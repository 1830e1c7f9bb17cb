-- Tokens that are bound to a key: the thumbprint of a DPoP key (RFC 9449) or of
-- a TLS certificate (RFC 8705); empty: bound to nothing.

-- +goose Up
ALTER TABLE grants ADD COLUMN jkt TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN x5t TEXT NOT NULL DEFAULT '';
ALTER TABLE access_tokens ADD COLUMN jkt TEXT NOT NULL DEFAULT '';
ALTER TABLE access_tokens ADD COLUMN x5t TEXT NOT NULL DEFAULT '';

-- DPoP proofs that were used, by SHA-256 of key and jti, until they would have
-- expired. A table of its own: it has a row a request and keeps it for minutes.
CREATE TABLE dpop_proofs (
  hash       BYTEA PRIMARY KEY,
  expires_at BIGINT NOT NULL
);
CREATE INDEX dpop_proofs_expiry ON dpop_proofs (expires_at);

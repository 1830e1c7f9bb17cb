-- Clients that register themselves (RFC 7591), and the tokens that let them.

-- +goose Up
CREATE TABLE registration_tokens (
  id         TEXT PRIMARY KEY,
  hash       BYTEA NOT NULL, -- SHA-256
  name       TEXT NOT NULL,
  policy     TEXT NOT NULL,
  uses       BIGINT NOT NULL, -- that are left
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  last_used  BIGINT NOT NULL
);
CREATE UNIQUE INDEX registration_tokens_hash ON registration_tokens (hash);
CREATE INDEX registration_tokens_expiry ON registration_tokens (expires_at);

-- What is known of such a client besides the client itself. A client that has got
-- a token is used; the others are counted and removed after a while.
CREATE TABLE registrations (
  client_id  TEXT PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
  hash       BYTEA,         -- SHA-256 of the registration access token; NULL: none
  token_id   TEXT NOT NULL, -- initial access token; empty: none was needed
  policy     TEXT NOT NULL, -- under which it was registered
  statement  TEXT NOT NULL, -- software statement; empty: none
  source     TEXT NOT NULL,
  used       BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX registrations_unused ON registrations (used, created_at);

ALTER TABLE clients ADD COLUMN registration TEXT NOT NULL DEFAULT '';

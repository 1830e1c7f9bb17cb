-- Authorizations that wait for a person who is somewhere else than the client:
-- of devices (RFC 8628) and of the backchannel (OpenID Connect CIBA).

-- +goose Up
CREATE TABLE pending_authorizations (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,
  hash       BYTEA NOT NULL, -- SHA-256 of device_code or auth_req_id
  user_code  BYTEA,          -- keyed hash of the user code; NULL: the person is known already
  client_id  TEXT NOT NULL,
  user_id    TEXT NOT NULL,  -- who may answer; empty: whoever has the user code
  request    TEXT NOT NULL,
  source     TEXT NOT NULL,
  message    TEXT NOT NULL,
  notify     BYTEA,          -- sealed bearer value for the notification of the client; NULL: it polls
  status     TEXT NOT NULL,  -- pending, approved, denied, redeemed
  approval   TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  decided_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX pending_authorizations_hash ON pending_authorizations (hash);
CREATE UNIQUE INDEX pending_authorizations_user_code ON pending_authorizations (user_code);
CREATE INDEX pending_authorizations_user ON pending_authorizations (user_id, id);
CREATE INDEX pending_authorizations_expiry ON pending_authorizations (expires_at);

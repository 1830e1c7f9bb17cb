-- Sign-in in the browser: which sessions a browser carries, authorization
-- requests in progress, and what people allowed clients.

-- +goose Up
CREATE TABLE browser_sessions (
  session_id TEXT PRIMARY KEY,
  browser    BYTEA NOT NULL,
  auth_time  BIGINT NOT NULL,
  last_used  BIGINT NOT NULL
);
CREATE INDEX browser_sessions_browser ON browser_sessions (browser);

CREATE TABLE flows (
  id         TEXT PRIMARY KEY,
  browser    BYTEA NOT NULL,
  request    TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  session_id TEXT NOT NULL,
  signed_in  BIGINT NOT NULL,
  chosen     BOOLEAN NOT NULL,
  decided_by TEXT NOT NULL,
  granted    TEXT NOT NULL,
  denied     BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX flows_expiry ON flows (expires_at);

CREATE TABLE consents (
  user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  scopes     TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consents_client ON consents (client_id);

ALTER TABLE clients ADD COLUMN post_logout_redirect_uris TEXT NOT NULL DEFAULT '[]';
ALTER TABLE clients ADD COLUMN pkce_optional BOOLEAN NOT NULL DEFAULT FALSE;

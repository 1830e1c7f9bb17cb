-- One text for both databases. {{KEY}} is text that sorts by byte; {{SERIAL}} is
-- a primary key that the database counts up. Times are microseconds since 1970,
-- UTC; 0 is never.

-- +goose Up
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
INSERT INTO meta (name, value) VALUES ('admins', 'lock');

CREATE TABLE users (
  id             TEXT PRIMARY KEY,
  username       TEXT NOT NULL,
  username_key   {{KEY}} NOT NULL,
  email          TEXT NOT NULL,
  email_key      {{KEY}} NOT NULL,
  email_verified BOOLEAN NOT NULL,
  first_name     TEXT NOT NULL,
  last_name      TEXT NOT NULL,
  enabled        BOOLEAN NOT NULL,
  password_at    BIGINT NOT NULL, -- when the password was set: here, where a sign-in can ask for it and wait for it
  last_login     BIGINT NOT NULL,
  created_at     BIGINT NOT NULL,
  updated_at     BIGINT NOT NULL,
  version        BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_username_key ON users (username_key);
CREATE UNIQUE INDEX users_email_key ON users (email_key);

-- What people search users by, folded: username, e-mail, names. A prefix search
-- is one index range, however many users there are.
CREATE TABLE user_terms (
  term    {{KEY}} NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (term, user_id)
);
CREATE INDEX user_terms_user ON user_terms (user_id, term);

CREATE TABLE passwords (
  user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  hash    TEXT NOT NULL
);

CREATE TABLE scopes (
  id          TEXT PRIMARY KEY,
  name        {{KEY}} NOT NULL,
  description TEXT NOT NULL,
  built_in    BOOLEAN NOT NULL,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  version     BIGINT NOT NULL
);
CREATE UNIQUE INDEX scopes_name ON scopes (name);

CREATE TABLE roles (
  id          TEXT PRIMARY KEY,
  name        {{KEY}} NOT NULL,
  description TEXT NOT NULL,
  built_in    BOOLEAN NOT NULL,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  version     BIGINT NOT NULL
);
CREATE UNIQUE INDEX roles_name ON roles (name);

CREATE TABLE role_scopes (
  role_id  TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
  scope_id TEXT NOT NULL REFERENCES scopes (id) ON DELETE CASCADE,
  PRIMARY KEY (role_id, scope_id)
);
CREATE INDEX role_scopes_scope ON role_scopes (scope_id);

CREATE TABLE user_roles (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
  PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_role ON user_roles (role_id);

CREATE TABLE clients (
  id                    TEXT PRIMARY KEY,
  name                  TEXT NOT NULL,
  kind                  TEXT NOT NULL,
  enabled               BOOLEAN NOT NULL,
  first_party           BOOLEAN NOT NULL,
  built_in              BOOLEAN NOT NULL,
  redirect_uris         TEXT NOT NULL,
  audiences             TEXT NOT NULL,
  grants                TEXT NOT NULL,
  access_token_format   TEXT NOT NULL,
  rotate_refresh_tokens BOOLEAN NOT NULL,
  access_token_ttl      BIGINT NOT NULL,
  created_at            BIGINT NOT NULL,
  updated_at            BIGINT NOT NULL,
  version               BIGINT NOT NULL
);

CREATE TABLE client_scopes (
  client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  scope_id  TEXT NOT NULL REFERENCES scopes (id) ON DELETE CASCADE,
  PRIMARY KEY (client_id, scope_id)
);
CREATE INDEX client_scopes_scope ON client_scopes (scope_id);

CREATE TABLE client_secrets (
  id         TEXT PRIMARY KEY,
  client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  hash       BYTEA NOT NULL,
  hint       TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX client_secrets_client ON client_secrets (client_id);

-- Hot tables below carry no foreign keys: each row is written by one statement
-- that checks its user itself, and is read together with its user's state.
CREATE TABLE sessions (
  id         TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  source     TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  amr        TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_seen  BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  ended_at   BIGINT NOT NULL,
  end_reason TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- One row a family of refresh tokens; rotating counts generation up. Only
-- columns without an index change when it does.
CREATE TABLE grants (
  id         TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  session_id TEXT NOT NULL,
  scopes     TEXT NOT NULL,
  audiences  TEXT NOT NULL,
  generation BIGINT NOT NULL,
  rotated_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  ends_at    BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  reason     TEXT NOT NULL
);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_user ON grants (user_id);
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_end ON grants (ends_at);

-- Opaque access tokens, by SHA-256.
CREATE TABLE access_tokens (
  hash       BYTEA PRIMARY KEY,
  jti        TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  client_id  TEXT NOT NULL,
  session_id TEXT NOT NULL,
  grant_id   TEXT NOT NULL,
  scopes     TEXT NOT NULL,
  audiences  TEXT NOT NULL,
  issued_at  BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);

-- Access tokens revoked before their time, until they would have expired.
CREATE TABLE revoked_tokens (
  jti        TEXT PRIMARY KEY,
  expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

CREATE TABLE signing_keys (
  id         TEXT PRIMARY KEY,
  algorithm  TEXT NOT NULL,
  seq        BIGINT NOT NULL,
  sealed     BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  active_at  BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX signing_keys_step ON signing_keys (algorithm, seq);

-- Whatever may be used once: links, codes, assertion ids. Used rows stay until
-- they would have expired, so that a second use is recognised.
CREATE TABLE single_use (
  kind       TEXT NOT NULL,
  hash       BYTEA NOT NULL,
  payload    TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL,
  PRIMARY KEY (kind, hash)
);
CREATE INDEX single_use_expiry ON single_use (expires_at);

-- Consecutive failed proofs, counted before they are checked.
CREATE TABLE attempts (
  key           {{KEY}} PRIMARY KEY,
  failures      BIGINT NOT NULL,
  last_at       BIGINT NOT NULL,
  blocked_until BIGINT NOT NULL
);
CREATE INDEX attempts_last ON attempts (last_at);

CREATE TABLE audit (
  seq         {{SERIAL}},
  id          TEXT NOT NULL,
  at          BIGINT NOT NULL,
  actor_kind  TEXT NOT NULL,
  actor_id    TEXT NOT NULL,
  actor_name  TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  source      TEXT NOT NULL,
  request_id  TEXT NOT NULL,
  action      {{KEY}} NOT NULL,
  target_kind TEXT NOT NULL,
  target_id   TEXT NOT NULL,
  target_name TEXT NOT NULL,
  detail      TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_action ON audit (action, seq);
CREATE INDEX audit_actor ON audit (actor_id, seq);
CREATE INDEX audit_target ON audit (target_id, seq);

-- The chain over the trail: a row seals the audit rows first_seq to last_seq.
-- entries holds 40 bytes for each of them, its number and its keyed digest;
-- numbers without an entry belong to transactions that did not commit.
CREATE TABLE audit_seals (
  n         BIGINT PRIMARY KEY,
  first_seq BIGINT NOT NULL,
  last_seq  BIGINT NOT NULL,
  entries   BYTEA NOT NULL,
  previous  BYTEA NOT NULL,
  hash      BYTEA NOT NULL,
  sealed_at BIGINT NOT NULL
);

CREATE TABLE outbox (
  id            TEXT PRIMARY KEY,
  kind          TEXT NOT NULL,
  payload       BYTEA NOT NULL,
  created_at    BIGINT NOT NULL,
  due_at        BIGINT NOT NULL,
  attempts      BIGINT NOT NULL,
  claimed_by    TEXT NOT NULL,
  claimed_until BIGINT NOT NULL,
  last_error    TEXT NOT NULL,
  dead_at       BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (kind, due_at);

-- Tokens handed out, counted by the hour: stateless tokens leave no row.
CREATE TABLE usage (
  client_id  TEXT NOT NULL,
  grant_type TEXT NOT NULL,
  hour       BIGINT NOT NULL,
  tokens     BIGINT NOT NULL,
  last_at    BIGINT NOT NULL,
  PRIMARY KEY (client_id, grant_type, hour)
);
CREATE INDEX usage_hour ON usage (hour);

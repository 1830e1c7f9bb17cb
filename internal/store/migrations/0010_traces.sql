-- Why requests were refused, for a day.

-- +goose Up
CREATE TABLE traces (
  id         TEXT PRIMARY KEY,
  request_id TEXT NOT NULL,
  at         BIGINT NOT NULL,
  body       TEXT NOT NULL
);
CREATE INDEX traces_request ON traces (request_id);
CREATE INDEX traces_at ON traces (at);

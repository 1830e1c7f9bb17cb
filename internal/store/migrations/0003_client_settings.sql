-- What a client registers beyond what every client has: one JSON document, so
-- that a new setting needs no new column.

-- +goose Up
ALTER TABLE clients ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

-- Whom a person allowed a client to go to with what they allowed it (RFC 8707),
-- besides Keystone itself. What was allowed before named nobody, so it holds for
-- nobody else: people are asked once more.

-- +goose Up
ALTER TABLE consents ADD COLUMN audiences TEXT NOT NULL DEFAULT '';

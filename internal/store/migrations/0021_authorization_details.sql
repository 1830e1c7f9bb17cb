-- Authorization details (RFC 9396) of grants and of opaque access tokens, as a JSON
-- array; empty: none.

-- +goose Up
ALTER TABLE grants ADD COLUMN details TEXT NOT NULL DEFAULT '';
ALTER TABLE access_tokens ADD COLUMN details TEXT NOT NULL DEFAULT '';

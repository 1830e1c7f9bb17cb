-- Who acts for the user of an opaque access token (RFC 8693 section 4.1), as JSON;
-- empty: nobody else.

-- +goose Up
ALTER TABLE access_tokens ADD COLUMN act TEXT NOT NULL DEFAULT '';

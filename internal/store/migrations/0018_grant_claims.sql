-- Claims that userinfo gives under a grant because they were asked for by name
-- (OpenID Connect Core section 5.5); empty: those of the scopes alone.

-- +goose Up
ALTER TABLE grants ADD COLUMN claims TEXT NOT NULL DEFAULT '';

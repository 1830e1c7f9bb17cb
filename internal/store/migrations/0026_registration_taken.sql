-- What an administrator took from a client that registered itself, as JSON
-- (keystone.Taken): its own word does not bring it back. Empty: nothing.

-- +goose Up
ALTER TABLE registrations ADD COLUMN taken TEXT NOT NULL DEFAULT '';

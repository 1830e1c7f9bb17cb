-- The trail is in about the order of its times, so a time is found by halving it
-- (auditBounds). Every write paid for the index.

-- +goose Up
DROP INDEX audit_at;

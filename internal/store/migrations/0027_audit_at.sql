-- The trail is in about the order of its times, so a time is found by halving it
-- (auditBounds). Every write paid for the index. It goes while others read and write: a
-- backup reads the table for as long as it takes, and a lock that waits for it holds up all.

-- +goose NO TRANSACTION
-- +goose Up
{{PATIENTLY}}
DROP INDEX {{CONCURRENTLY}} IF EXISTS audit_at;
{{AS BEFORE}}

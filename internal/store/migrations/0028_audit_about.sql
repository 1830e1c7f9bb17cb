-- Uses of refresh tokens are most of the trail, and each is by the person whose family of
-- tokens it is: audit_actor finds them. Those that say which generation was presented, the
-- first and each 32nd, lead from the family to the person (ownerOfFamily). Each of the
-- others changed a page of this index, somewhere in its middle, with every commit. The
-- step goes while others read and write, and again from the start where it was cut short.

-- +goose NO TRANSACTION
-- +goose Up
{{PATIENTLY}}
DROP INDEX {{CONCURRENTLY}} IF EXISTS audit_about;
CREATE INDEX {{CONCURRENTLY}} audit_about ON audit (target_id, seq) WHERE action <> 'token.refreshed' OR detail <> '{}';
DROP INDEX {{CONCURRENTLY}} IF EXISTS audit_target;
{{AS BEFORE}}

-- Uses of refresh tokens are most of the trail, and each is by the person whose family of
-- tokens it is: audit_actor finds them. The first use of a family says which generation
-- was presented, and so leads from the family to the person (AuditEvents); of those that
-- began before this, the grant does as long as it is kept. Each of the
-- others changed a page of this index, somewhere in its middle, with every commit. It
-- goes while others read and write, and again from the start where it was cut short.

-- +goose NO TRANSACTION
-- +goose Up
{{PATIENTLY}}
DROP INDEX {{CONCURRENTLY}} IF EXISTS audit_about;
CREATE INDEX {{CONCURRENTLY}} audit_about ON audit (target_id, seq) WHERE action <> 'token.refreshed' OR detail <> '{}';
DROP INDEX {{CONCURRENTLY}} IF EXISTS audit_target;
{{AS BEFORE}}

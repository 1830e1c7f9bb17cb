-- What a person allowed a client, for each audience by itself: a JSON object of the
-- audience ('' is Keystone itself) to its scopes. What was kept before were two lists,
-- every scope for every audience. Where no resource was named it was all for Keystone
-- itself; where some were, nobody knows what was for whom, and people are asked once more.
--
-- And what became of a flow: it is kept for some seconds, for a form that was sent twice.

-- +goose Up
ALTER TABLE consents ADD COLUMN allowed TEXT NOT NULL DEFAULT '{}';
UPDATE consents SET allowed = '{"":"' || scopes || '"}' WHERE audiences = '' AND scopes <> '';
ALTER TABLE flows ADD COLUMN answer TEXT NOT NULL DEFAULT '';

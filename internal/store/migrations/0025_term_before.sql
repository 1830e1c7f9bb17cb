-- Each search term knows the term of the same user that comes before it, '' where none
-- does. Whoever is found by several terms is listed under the smallest that fits: it is
-- the one whose predecessor does not. Nothing else has to be read to see that.

-- +goose Up
ALTER TABLE user_terms ADD COLUMN before {{KEY}} NOT NULL DEFAULT '';
UPDATE user_terms SET before = COALESCE((SELECT max(o.term) FROM user_terms o WHERE o.user_id = user_terms.user_id AND o.term < user_terms.term), '');

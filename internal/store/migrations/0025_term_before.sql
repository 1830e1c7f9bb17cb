-- Each search term knows the term of the same user that comes before it, '' where none
-- does. Whoever is found by several terms is listed under the smallest that fits: it is
-- the one whose predecessor does not. Nothing else has to be read to see that. Terms that
-- were written before this, or by the release before, have NULL: of these, the others are
-- read, until the user is written again.

-- +goose Up
ALTER TABLE user_terms ADD COLUMN before {{KEY}};

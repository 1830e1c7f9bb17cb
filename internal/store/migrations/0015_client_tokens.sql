-- When all tokens of a client were ended: those issued up to then are worth
-- nothing, also where the client was enabled again since. 0: never.

-- +goose Up
ALTER TABLE clients ADD COLUMN tokens_valid_after BIGINT NOT NULL DEFAULT 0;

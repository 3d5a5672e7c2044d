-- +goose Up
-- What is in the inbox is told by its deployment: a delivery that comes again is the same deployment's. Its GUID in an index of its own cost as much.
ALTER TABLE inbox_keys DROP CONSTRAINT inbox_keys_pkey;

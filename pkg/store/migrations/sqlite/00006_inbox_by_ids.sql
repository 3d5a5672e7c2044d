-- +goose Up
-- What is in the inbox is told by its deployment: a delivery that comes again is the same deployment's. Its GUID in an index of its own cost as much.
ALTER TABLE inbox_keys RENAME TO inbox_keys_by_guid;
CREATE TABLE inbox_keys (
    guid          TEXT NOT NULL,
    repository_id INTEGER NOT NULL,
    deployment_id INTEGER NOT NULL,
    PRIMARY KEY (repository_id, deployment_id)
) WITHOUT ROWID;
INSERT INTO inbox_keys (guid, repository_id, deployment_id) SELECT guid, repository_id, deployment_id FROM inbox_keys_by_guid;
DROP TABLE inbox_keys_by_guid;

-- +goose Up
-- Deliveries that came in a crowd, many to a parcel, and are to become deployments in this order. holds is how many.
CREATE TABLE inbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    parcel  BLOB NOT NULL,
    holds   INTEGER NOT NULL,
    damaged INTEGER NOT NULL DEFAULT 0
);
-- Which they are, until a while after they have become deployments.
CREATE TABLE inbox_keys (
    guid          TEXT PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    deployment_id INTEGER NOT NULL,
    UNIQUE (repository_id, deployment_id)
) WITHOUT ROWID;

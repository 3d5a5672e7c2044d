-- +goose Up
-- Deliveries that GitHub was asked to make again. landed: 0 not yet, 1 it led to a deployment, 2 it led nowhere.
CREATE TABLE redeliveries (
    guid     TEXT PRIMARY KEY,
    tries    INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    landed   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX redeliveries_waiting ON redeliveries (guid) WHERE landed = 0;

-- What one process does for all, and how far it came: held_until keeps the others out meanwhile.
CREATE TABLE duties (
    name       TEXT PRIMARY KEY,
    note       TEXT NOT NULL DEFAULT '',
    held_until INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

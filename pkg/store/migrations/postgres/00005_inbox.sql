-- +goose Up
-- Deliveries that came in a crowd, many to a parcel, and are to become deployments in this order. holds is how many.
CREATE TABLE inbox (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parcel  BYTEA NOT NULL,
    holds   BIGINT NOT NULL,
    damaged BIGINT NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);
-- Which they are, until a while after they have become deployments.
CREATE TABLE inbox_keys (
    guid          TEXT PRIMARY KEY,
    repository_id BIGINT NOT NULL,
    deployment_id BIGINT NOT NULL,
    UNIQUE (repository_id, deployment_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- What comes packed need not be packed again.
ALTER TABLE inbox ALTER COLUMN parcel SET STORAGE EXTERNAL;
ALTER TABLE deliveries ALTER COLUMN body SET STORAGE EXTERNAL;

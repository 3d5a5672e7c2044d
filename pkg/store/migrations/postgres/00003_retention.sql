-- +goose Up
-- What was pruned keeps its place here, so that it never runs again.
CREATE TABLE pruned (
    repository_id BIGINT NOT NULL,
    deployment_id BIGINT NOT NULL,
    PRIMARY KEY (repository_id, deployment_id)
);
CREATE INDEX deployments_accepted ON deployments (accepted_at);
CREATE INDEX deliveries_received ON deliveries (received_at) WHERE body IS NOT NULL OR ignored <> '';
CREATE INDEX pipelines_seen ON pipelines (seen_at);

-- +goose Up
-- Times are microseconds since 1970, UTC; flags are 0 or 1; data is the deployment as JSON, beside the columns that are searched.
CREATE TABLE deliveries (
    guid          TEXT PRIMARY KEY,
    event         TEXT NOT NULL,
    source        TEXT NOT NULL,
    repository_id INTEGER NOT NULL,
    deployment_id INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    ignored       TEXT NOT NULL DEFAULT '',
    body          BLOB
);

CREATE TABLE deployments (
    row_id          INTEGER PRIMARY KEY AUTOINCREMENT,
    repository_id   INTEGER NOT NULL,
    deployment_id   INTEGER NOT NULL,
    repository      TEXT NOT NULL,
    environment_key TEXT NOT NULL,
    state           TEXT NOT NULL,
    version         INTEGER NOT NULL DEFAULT 1,
    nudges          INTEGER NOT NULL DEFAULT 0,
    holds_slot      INTEGER NOT NULL DEFAULT 0,
    holds_project   INTEGER NOT NULL DEFAULT 0,
    started         INTEGER NOT NULL DEFAULT 0,
    project_id      TEXT NOT NULL DEFAULT '',
    pipeline_id     TEXT NOT NULL DEFAULT '',
    trigger_key     TEXT NOT NULL UNIQUE,
    accepted_at     INTEGER NOT NULL,
    due_at          INTEGER,
    report_due_at   INTEGER,
    report_count    INTEGER NOT NULL DEFAULT 0,
    data            TEXT NOT NULL,
    UNIQUE (repository_id, deployment_id)
);
CREATE INDEX deployments_due ON deployments (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deployments_report_due ON deployments (report_due_at) WHERE report_due_at IS NOT NULL;
CREATE INDEX deployments_waiting ON deployments (repository_id, environment_key, deployment_id) WHERE state = 'waiting';
CREATE INDEX deployments_open ON deployments (state) WHERE state IN ('waiting', 'triggering', 'unconfirmed', 'running', 'held');
CREATE INDEX deployments_waiting_project ON deployments (project_id, row_id) WHERE state = 'waiting';
CREATE INDEX deployments_by_github_id ON deployments (deployment_id);
CREATE INDEX deployments_pipeline ON deployments (pipeline_id) WHERE pipeline_id <> '';
CREATE INDEX deployments_started ON deployments (repository_id, environment_key, deployment_id) WHERE started = 1;
CREATE INDEX deployments_repository ON deployments (repository, row_id);
-- The safety nets of the two promises.
CREATE UNIQUE INDEX deployments_one_per_environment ON deployments (repository_id, environment_key) WHERE holds_slot = 1;
CREATE UNIQUE INDEX deployments_one_trigger_per_project ON deployments (project_id) WHERE holds_project = 1;

CREATE TABLE timeline (
    id     INTEGER PRIMARY KEY,
    row_id INTEGER NOT NULL REFERENCES deployments (row_id),
    at     INTEGER NOT NULL,
    event  TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX timeline_row ON timeline (row_id);

CREATE TABLE reports (
    row_id          INTEGER NOT NULL REFERENCES deployments (row_id),
    seq             INTEGER NOT NULL,
    state           TEXT NOT NULL,
    description     TEXT NOT NULL,
    log_url         TEXT NOT NULL,
    environment_url TEXT NOT NULL,
    is_end          INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    not_before      INTEGER NOT NULL,
    fate            TEXT NOT NULL,
    sent_at         INTEGER,
    status_id       INTEGER NOT NULL DEFAULT 0,
    tries           INTEGER NOT NULL DEFAULT 0,
    tried_at        INTEGER,
    retry_at        INTEGER,
    PRIMARY KEY (row_id, seq)
) WITHOUT ROWID;
CREATE INDEX reports_unsent ON reports (fate) WHERE fate IN ('owed', 'unknown');

-- Every pipeline that a look-up saw: row_id 0 is nobody's.
CREATE TABLE pipelines (
    pipeline_id TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL,
    row_id      INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX pipelines_claimed ON pipelines (project_id, seen_at) WHERE row_id <> 0;

CREATE TABLE projects (
    slug       TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    canonical  TEXT NOT NULL
) WITHOUT ROWID;

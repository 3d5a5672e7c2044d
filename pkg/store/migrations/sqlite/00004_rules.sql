-- +goose Up
-- sha: the commit. is_act: 1 when it locks or unlocks, and starts no pipeline. admitted: 1 once the rules found no reason to reject it.
ALTER TABLE deployments ADD COLUMN sha TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN is_act INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN admitted INTEGER NOT NULL DEFAULT 0;
UPDATE deployments SET sha = coalesce(json_extract(data, '$.request.sha'), '') WHERE json_valid(data);
CREATE INDEX deployments_commit ON deployments (repository_id, environment_key, sha, deployment_id)
    WHERE state IN ('succeeded', 'failed', 'errored', 'canceled', 'rejected');
CREATE INDEX deployments_deployed ON deployments (repository_id, environment_key, deployment_id) WHERE state = 'succeeded' AND pipeline_id <> '';

-- Claims on environments. repository_id 0 is every repository, environment_key '' every environment; people are JSON. One whose expires_at has passed
-- is over, whether or not it was ended.
CREATE TABLE locks (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    repository_id   INTEGER NOT NULL,
    environment_key TEXT NOT NULL,
    repository      TEXT NOT NULL,
    environment     TEXT NOT NULL,
    owner           TEXT NOT NULL,
    reason          TEXT NOT NULL,
    taken_at        INTEGER NOT NULL,
    expires_at      INTEGER,
    ended_at        INTEGER,
    ended_by        TEXT NOT NULL DEFAULT '',
    ended_how       TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX locks_one_per_scope ON locks (repository_id, environment_key) WHERE ended_at IS NULL;

-- What asked for a lock, where it may ask again after a crash.
CREATE TABLE lock_sources (
    source  TEXT PRIMARY KEY,
    lock_id INTEGER NOT NULL REFERENCES locks (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX lock_sources_lock ON lock_sources (lock_id);

-- What owners are to be told of locks that others ended.
CREATE TABLE notices (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    for_whom TEXT NOT NULL,
    text     TEXT NOT NULL,
    lock_id  INTEGER NOT NULL
);

-- person says who it is in one word: a person's newest approval of a row is the one that is kept.
CREATE TABLE approvals (
    row_id     INTEGER NOT NULL REFERENCES deployments (row_id) ON DELETE CASCADE,
    person     TEXT NOT NULL,
    by_id      INTEGER NOT NULL,
    by_login   TEXT NOT NULL,
    by_app     TEXT NOT NULL,
    by_token   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    sha        TEXT NOT NULL,
    parameters TEXT NOT NULL,
    policy     TEXT NOT NULL,
    comment    TEXT NOT NULL,
    PRIMARY KEY (row_id, person)
) WITHOUT ROWID;

-- The chain of what was asked and decided (package audit says how the hashes are made), and its newest link, which each commit that adds to it moves on.
CREATE TABLE audit (
    seq           INTEGER PRIMARY KEY,
    version       INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    kind          TEXT NOT NULL,
    door          TEXT NOT NULL,
    actor_id      INTEGER NOT NULL,
    actor_login   TEXT NOT NULL,
    actor_app     TEXT NOT NULL,
    actor_token   TEXT NOT NULL,
    repository_id INTEGER NOT NULL,
    repository    TEXT NOT NULL,
    environment   TEXT NOT NULL,
    deployment    INTEGER NOT NULL,
    detail        TEXT NOT NULL,
    prev          TEXT NOT NULL,
    hash          TEXT NOT NULL
);
CREATE TABLE audit_head (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    seq  INTEGER NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
-- +goose StatementEnd

-- +goose Up
-- sha: the commit. is_act: 1 when it locks or unlocks, and starts no pipeline. admitted: 1 once the rules found no reason to reject it.
ALTER TABLE deployments ADD COLUMN sha TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN is_act BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN admitted BIGINT NOT NULL DEFAULT 0;
-- The first "sha" is the request's: what stands before it holds no bare quote. A payload may hold what PostgreSQL's own JSON refuses, so it is not asked.
-- +goose StatementBegin
CREATE FUNCTION deployments_sha() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.sha := coalesce(substring(NEW.data FROM '"sha":"([^"]*)"'), '');
    RETURN NEW;
END $$;
-- +goose StatementEnd
-- A replica of the version before does not fill it in.
CREATE TRIGGER deployments_sha BEFORE INSERT ON deployments FOR EACH ROW WHEN (NEW.sha = '') EXECUTE FUNCTION deployments_sha();
UPDATE deployments SET sha = coalesce(substring(data FROM '"sha":"([^"]*)"'), '');
CREATE INDEX deployments_commit ON deployments (repository_id, environment_key, sha, deployment_id)
    WHERE state IN ('succeeded', 'failed', 'errored', 'canceled', 'rejected');
CREATE INDEX deployments_deployed ON deployments (repository_id, environment_key, deployment_id) WHERE state = 'succeeded' AND pipeline_id <> '';

-- Claims on environments. repository_id 0 is every repository, environment_key '' every environment; people are JSON. One whose expires_at has passed
-- is over, whether or not it was ended.
CREATE TABLE locks (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id   BIGINT NOT NULL,
    environment_key TEXT NOT NULL,
    repository      TEXT NOT NULL,
    environment     TEXT NOT NULL,
    owner           TEXT NOT NULL,
    reason          TEXT NOT NULL,
    taken_at        BIGINT NOT NULL,
    expires_at      BIGINT,
    ended_at        BIGINT,
    ended_by        TEXT NOT NULL DEFAULT '',
    ended_how       TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX locks_one_per_scope ON locks (repository_id, environment_key) WHERE ended_at IS NULL;

-- What asked for a lock, where it may ask again after a crash.
CREATE TABLE lock_sources (
    source  TEXT PRIMARY KEY,
    lock_id BIGINT NOT NULL REFERENCES locks (id) ON DELETE CASCADE
);
CREATE INDEX lock_sources_lock ON lock_sources (lock_id);

-- What owners are to be told of locks that others ended.
CREATE TABLE notices (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       BIGINT NOT NULL,
    for_whom TEXT NOT NULL,
    text     TEXT NOT NULL,
    lock_id  BIGINT NOT NULL
);

-- person says who it is in one word: a person's newest approval of a row is the one that is kept. A replica of the version before prunes deployments
-- without knowing of approvals.
CREATE TABLE approvals (
    row_id     BIGINT NOT NULL REFERENCES deployments (row_id) ON DELETE CASCADE,
    person     TEXT NOT NULL,
    by_id      BIGINT NOT NULL,
    by_login   TEXT NOT NULL,
    by_app     TEXT NOT NULL,
    by_token   TEXT NOT NULL,
    at         BIGINT NOT NULL,
    sha        TEXT NOT NULL,
    parameters TEXT NOT NULL,
    policy     TEXT NOT NULL,
    comment    TEXT NOT NULL,
    PRIMARY KEY (row_id, person)
);

-- The chain of what was asked and decided (package audit says how the hashes are made), and its newest link, which each commit that adds to it moves on.
CREATE TABLE audit (
    seq           BIGINT PRIMARY KEY,
    version       BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    kind          TEXT NOT NULL,
    door          TEXT NOT NULL,
    actor_id      BIGINT NOT NULL,
    actor_login   TEXT NOT NULL,
    actor_app     TEXT NOT NULL,
    actor_token   TEXT NOT NULL,
    repository_id BIGINT NOT NULL,
    repository    TEXT NOT NULL,
    environment   TEXT NOT NULL,
    deployment    BIGINT NOT NULL,
    detail        TEXT NOT NULL,
    prev          TEXT NOT NULL,
    hash          TEXT NOT NULL
);
CREATE TABLE audit_head (
    one  BIGINT PRIMARY KEY CHECK (one = 1),
    seq  BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
-- +goose StatementBegin
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

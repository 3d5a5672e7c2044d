-- +goose Up
-- The same tables as on SQLite, and columns for leases, which all replicas must see.
-- Times are microseconds since 1970, UTC. Flags are 0 or 1.

-- Deliveries of webhooks. ignored says why one led to no deployment; '': it led to one. body is compressed with S2 (one
-- block), unless it is larger than 1 MiB. Of an ignored delivery
-- repository and environment are kept, for people who look for it.
CREATE TABLE deliveries (
    guid          TEXT PRIMARY KEY,
    event         TEXT NOT NULL,
    source        TEXT NOT NULL,
    repository_id BIGINT NOT NULL,
    deployment_id BIGINT NOT NULL,
    received_at   BIGINT NOT NULL,
    ignored       TEXT NOT NULL DEFAULT '',
    repository    TEXT NOT NULL DEFAULT '',
    environment   TEXT NOT NULL DEFAULT '',
    body          BYTEA
);
ALTER TABLE deliveries ALTER COLUMN body SET STORAGE EXTERNAL; -- the program compresses it
ALTER TABLE deliveries SET (toast_tuple_target = 4080); -- a usual body stays in its row
CREATE INDEX deliveries_received ON deliveries (received_at) WHERE body IS NOT NULL OR ignored <> '';
CREATE INDEX deliveries_ignored ON deliveries (received_at) WHERE ignored <> '' AND ignored <> 'duplicate';

-- One row for each accepted deployment. data is the deployment as JSON; the other columns are what is searched, and what
-- only the store writes:
--   nudges       how often something woke the row; a write that is based on an older number leaves the row due
--   is_act       1 for a task that locks or unlocks, and starts no pipeline; 2 for an operation, whose pipeline deploys nothing
--   admitted     1 once the rules have found no reason to reject it
--   waits_project
--                1 while it waits for another trigger in its CircleCI project
--   due_at       when it is due for its next step; NULL: never (see due.go)
CREATE TABLE deployments (
    row_id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id   BIGINT NOT NULL,
    deployment_id   BIGINT NOT NULL,
    repository      TEXT NOT NULL,
    environment_key TEXT NOT NULL,
    state           TEXT NOT NULL,
    version         BIGINT NOT NULL DEFAULT 1,
    nudges          BIGINT NOT NULL DEFAULT 0,
    holds_slot      BIGINT NOT NULL DEFAULT 0,
    holds_project   BIGINT NOT NULL DEFAULT 0,
    started         BIGINT NOT NULL DEFAULT 0,
    project_id      TEXT NOT NULL DEFAULT '',
    pipeline_id     TEXT NOT NULL DEFAULT '',
    trigger_key     TEXT NOT NULL UNIQUE,
    accepted_at     BIGINT NOT NULL,
    due_at          BIGINT,
    ended_at        BIGINT,
    report_due_at   BIGINT,
    leased_until        BIGINT NOT NULL DEFAULT 0,
    report_leased_until BIGINT NOT NULL DEFAULT 0,
    report_count    BIGINT NOT NULL DEFAULT 0,
    sha             TEXT NOT NULL DEFAULT '',
    is_act          BIGINT NOT NULL DEFAULT 0,
    admitted        BIGINT NOT NULL DEFAULT 0,
    waits_project   BIGINT NOT NULL DEFAULT 0,
    data            TEXT NOT NULL,
    UNIQUE (deployment_id, repository_id)
);
-- A new deployment is in few of these indexes, because each one that it is in makes accepting it slower.
CREATE INDEX deployments_due ON deployments (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deployments_report_due ON deployments (report_due_at) WHERE report_due_at IS NOT NULL;
CREATE INDEX deployments_waiting ON deployments (repository_id, environment_key, deployment_id) WHERE state = 'waiting';
CREATE INDEX deployments_active ON deployments (state) WHERE state IN ('triggering', 'unconfirmed', 'running', 'held');
CREATE INDEX deployments_waiting_project ON deployments (project_id, row_id) WHERE state = 'waiting' AND waits_project = 1;
CREATE INDEX deployments_waiting_lock_task ON deployments (repository_id, environment_key, deployment_id) WHERE state = 'waiting' AND is_act = 1;
CREATE INDEX deployments_pipeline ON deployments (pipeline_id) WHERE pipeline_id <> '';
CREATE INDEX deployments_started ON deployments (repository_id, environment_key, deployment_id) WHERE started = 1;
CREATE INDEX deployments_repository ON deployments (repository, row_id);
CREATE INDEX deployments_accepted ON deployments (accepted_at);
CREATE INDEX deployments_commit ON deployments (repository_id, environment_key, sha, deployment_id)
    WHERE state IN ('succeeded', 'failed', 'errored', 'canceled', 'rejected');
CREATE INDEX deployments_pipelines_of_commit ON deployments (repository_id, sha) WHERE pipeline_id <> '';
-- What has ended, for retention and for the API's lists.
CREATE INDEX deployments_ended ON deployments (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deployments_ended_state ON deployments (state, row_id) WHERE ended_at IS NOT NULL;
CREATE INDEX deployments_ended_environment ON deployments (environment_key, row_id) WHERE ended_at IS NOT NULL;
-- These two reject what no write should attempt: a second deployment in an environment, and a second trigger in flight of a project.
CREATE UNIQUE INDEX deployments_one_per_environment ON deployments (repository_id, environment_key) WHERE holds_slot = 1;
CREATE UNIQUE INDEX deployments_one_trigger_per_project ON deployments (project_id) WHERE holds_project = 1;

-- The ids are the positions of changes, from which streams of events go on.
CREATE TABLE timeline (
    id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    row_id BIGINT NOT NULL REFERENCES deployments (row_id),
    at     BIGINT NOT NULL,
    event  TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX timeline_row ON timeline (row_id);

CREATE TABLE reports (
    row_id          BIGINT NOT NULL REFERENCES deployments (row_id),
    seq             BIGINT NOT NULL,
    state           TEXT NOT NULL,
    description     TEXT NOT NULL,
    log_url         TEXT NOT NULL,
    environment_url TEXT NOT NULL,
    is_end          BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    not_before      BIGINT NOT NULL,
    fate            TEXT NOT NULL,
    sent_at         BIGINT,
    status_id       BIGINT NOT NULL DEFAULT 0,
    tries           BIGINT NOT NULL DEFAULT 0,
    tried_at        BIGINT,
    retry_at        BIGINT,
    PRIMARY KEY (row_id, seq)
);
CREATE INDEX reports_unsent ON reports (fate) WHERE fate IN ('owed', 'unknown');

-- Requests that people made through this service, for deployments that it creates at GitHub. data is the intent as JSON; the
-- other columns are what is searched. nonce is in the payload of the deployment, deployment_id is 0 until there is one.
CREATE TABLE requests (
    row_id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nonce           TEXT NOT NULL UNIQUE,
    asker           TEXT NOT NULL,
    request_key     TEXT NOT NULL,
    repository_id   BIGINT NOT NULL,
    environment_key TEXT NOT NULL,
    state           TEXT NOT NULL,
    version         BIGINT NOT NULL DEFAULT 1,
    deployment_id   BIGINT NOT NULL DEFAULT 0,
    due_at          BIGINT,
    ended_at        BIGINT,
    leased_until    BIGINT NOT NULL DEFAULT 0,
    data            TEXT NOT NULL,
    UNIQUE (asker, request_key)
);
CREATE INDEX requests_due ON requests (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX requests_open ON requests (repository_id, environment_key) WHERE ended_at IS NULL;
CREATE INDEX requests_ended ON requests (ended_at) WHERE ended_at IS NOT NULL;

-- The pipelines that were claimed, and those that a look-up saw and nobody claimed, whose row_id is 0.
CREATE TABLE pipelines (
    pipeline_id TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL,
    row_id      BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL
);
CREATE INDEX pipelines_claimed ON pipelines (project_id, seen_at) WHERE row_id <> 0;
CREATE INDEX pipelines_seen ON pipelines (seen_at);

CREATE TABLE projects (
    slug       TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    canonical  TEXT NOT NULL
);

-- What messages that people typed were answered with, so that one that comes again gets the same answer. asker is the
-- client whose messages are told apart; digest is of who asked what, because the text itself is not kept.
CREATE TABLE answers (
    asker         TEXT NOT NULL,
    request       TEXT NOT NULL,
    digest        TEXT NOT NULL,
    answer        TEXT NOT NULL,
    deployment_id BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    PRIMARY KEY (asker, request)
);
CREATE INDEX answers_at ON answers (at);

-- The requests that chat systems sent. As soon as one is carried out or given up, due_at is NULL, data and secrets are
-- empty, and problem says why it was given up; '': it was carried out. face is the chat system; data is the request as
-- JSON without what gives rights at the chat system, and secrets is that.
CREATE TABLE chat_deliveries (
    row_id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    face         TEXT NOT NULL,
    kind         TEXT NOT NULL,
    received_at  BIGINT NOT NULL,
    due_at       BIGINT,
    leased_until BIGINT NOT NULL DEFAULT 0,
    tries        BIGINT NOT NULL DEFAULT 0,
    done_at      BIGINT,
    problem      TEXT NOT NULL DEFAULT '',
    data         TEXT NOT NULL,
    secrets      TEXT NOT NULL
);
CREATE INDEX chat_deliveries_due ON chat_deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX chat_deliveries_done ON chat_deliveries (done_at) WHERE done_at IS NOT NULL;

-- What was sent by a chat system and must count once: the names of its requests, and its signatures.
CREATE TABLE chat_keys (
    face       TEXT NOT NULL,
    key        TEXT NOT NULL,
    kept_until BIGINT NOT NULL,
    PRIMARY KEY (face, key)
);
CREATE INDEX chat_keys_kept ON chat_keys (kept_until);

-- Who users of chat systems are at GitHub, as both accounts have proved. What the routes file says is not here.
CREATE TABLE links (
    face       TEXT NOT NULL,
    workspace  TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    github_id  BIGINT NOT NULL,
    login      TEXT NOT NULL,
    linked_at  BIGINT NOT NULL,
    checked_at BIGINT NOT NULL,
    PRIMARY KEY (face, workspace, user_id),
    UNIQUE (face, workspace, github_id)
);
CREATE INDEX links_checked ON links (checked_at);

-- The link that each user has begun last. address_hash and code_hash are SHA-256 of what the user opens and types. visits
-- and typed count how often somebody came back from GitHub with it, and how often its user typed a code. github_id is 0
-- and code_hash '' until somebody has signed in.
CREATE TABLE link_codes (
    face           TEXT NOT NULL,
    workspace      TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    user_name      TEXT NOT NULL,
    workspace_name TEXT NOT NULL,
    address_hash   TEXT NOT NULL UNIQUE,
    expires_at     BIGINT NOT NULL,
    visits         BIGINT NOT NULL DEFAULT 0,
    typed          BIGINT NOT NULL DEFAULT 0,
    github_id      BIGINT NOT NULL DEFAULT 0,
    login          TEXT NOT NULL DEFAULT '',
    code_hash      TEXT NOT NULL DEFAULT '',
    confirmed      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (face, workspace, user_id)
);
CREATE INDEX link_codes_code ON link_codes (code_hash) WHERE code_hash <> '';
CREATE INDEX link_codes_expired ON link_codes (expires_at);

-- Deliveries that GitHub was asked to repeat. landed is 0 until it comes in, 1 if it led to a deployment, and 2 if not.
CREATE TABLE redeliveries (
    guid     TEXT PRIMARY KEY,
    tries    BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    landed   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX redeliveries_waiting ON redeliveries (guid) WHERE landed = 0;

-- Work that all processes together do once in a period, and how far it came. held_until keeps the others out meanwhile; before next_at nobody does it.
CREATE TABLE duties (
    name       TEXT PRIMARY KEY,
    note       TEXT NOT NULL DEFAULT '',
    held_until BIGINT NOT NULL DEFAULT 0,
    next_at    BIGINT NOT NULL DEFAULT 0
);

-- Each environment's newest deployment that succeeded with a pipeline. It stays when the deployment is pruned.
CREATE TABLE deployed (
    repository_id   BIGINT NOT NULL,
    environment_key TEXT NOT NULL,
    deployment_id   BIGINT NOT NULL,
    sha             TEXT NOT NULL,
    PRIMARY KEY (repository_id, environment_key)
);
CREATE INDEX deployed_environment ON deployed (environment_key, repository_id);

-- The commits that succeeded in each environment, each by the newest deployment of each task: to what one can roll back. They stay when the
-- deployment is pruned, and so does the body of the delivery. bad_at is set when one was rolled back from, bad_by is who
-- did, as JSON. forced is 1 if it has succeeded only while rules were bypassed.
CREATE TABLE successes (
    repository_id   BIGINT NOT NULL,
    environment_key TEXT NOT NULL,
    sha             TEXT NOT NULL,
    deployment_id   BIGINT NOT NULL,
    ref             TEXT NOT NULL,
    task            TEXT NOT NULL,
    delivery        TEXT NOT NULL,
    ended_at        BIGINT NOT NULL,
    bad_at          BIGINT,
    bad_by          TEXT NOT NULL DEFAULT '',
    forced          BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (repository_id, environment_key, sha, task)
);
CREATE INDEX successes_delivery ON successes (delivery);

-- The ids of deployments that were deleted, so that none of them is accepted again.
CREATE TABLE pruned (
    repository_id BIGINT NOT NULL,
    deployment_id BIGINT NOT NULL,
    PRIMARY KEY (repository_id, deployment_id)
);

-- The id that a name of the routes file had when it was first looked up at GitHub. kind: user, team or repository.
CREATE TABLE pins (
    kind      TEXT NOT NULL,
    name      TEXT NOT NULL,
    id        BIGINT NOT NULL,
    pinned_at BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Locks on environments. repository_id 0 is every repository, environment_key '' every environment. owner and ended_by are
-- people, as JSON. is_admin is 1 if an admin took it. A lock is over once expires_at has passed, even if ended_at is NULL.
CREATE TABLE locks (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id   BIGINT NOT NULL,
    environment_key TEXT NOT NULL,
    repository      TEXT NOT NULL,
    environment     TEXT NOT NULL,
    owner           TEXT NOT NULL,
    reason          TEXT NOT NULL,
    is_admin        BIGINT NOT NULL DEFAULT 0,
    taken_at        BIGINT NOT NULL,
    expires_at      BIGINT,
    ended_at        BIGINT,
    ended_by        TEXT NOT NULL DEFAULT '',
    ended_how       TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX locks_one_per_scope ON locks (repository_id, environment_key) WHERE ended_at IS NULL;

-- Which lock a source was given, for a source that may ask again after a crash.
CREATE TABLE lock_sources (
    source  TEXT PRIMARY KEY,
    lock_id BIGINT NOT NULL REFERENCES locks (id) ON DELETE CASCADE
);
CREATE INDEX lock_sources_lock ON lock_sources (lock_id);

-- Notices for the owners of locks that others ended.
CREATE TABLE notices (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       BIGINT NOT NULL,
    for_whom TEXT NOT NULL,
    text     TEXT NOT NULL,
    lock_id  BIGINT NOT NULL
);

-- The newest approval that each person gave to a row. person is the same text for the same person.
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

-- What is owed to channels and people of chat systems. row_id is NULL for a message about no deployment. list_id is the
-- message in which several deployments are shown together; NULL: this one is shown by itself. touched counts how often the
-- deployment has changed; a write that is based on an older number leaves the message due. data is the rest, as JSON.
CREATE TABLE cards (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version    BIGINT NOT NULL DEFAULT 1,
    touched    BIGINT NOT NULL DEFAULT 0,
    topic      TEXT NOT NULL UNIQUE,
    row_id     BIGINT REFERENCES deployments (row_id) ON DELETE CASCADE,
    list_id    BIGINT REFERENCES cards (id) ON DELETE SET NULL,
    face       TEXT NOT NULL,
    channel    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    rank       INTEGER NOT NULL,
    due_at     BIGINT,
    created_at BIGINT NOT NULL,
    data       TEXT NOT NULL
);
CREATE INDEX cards_due ON cards (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX cards_row ON cards (row_id) WHERE row_id IS NOT NULL;
CREATE INDEX cards_list ON cards (list_id) WHERE list_id IS NOT NULL;
CREATE INDEX cards_channel ON cards (channel, created_at);
CREATE INDEX cards_created ON cards (created_at) WHERE row_id IS NULL;

-- The audit: each record's hash covers the one before it (see package audit). audit_head has the newest record's number and
-- hash. Each commit that adds records moves it on.
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
-- What the rules said of a deployment when it started or was rejected.
CREATE INDEX audit_decided ON audit (deployment) WHERE kind = 'decided';
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

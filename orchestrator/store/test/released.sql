-- The schema as the steps of released programs made it, version by version. Never changed: a record that one of them
-- left behind has exactly this shape (schema_test.c).
-- version 1
CREATE TABLE machines( id INTEGER PRIMARY KEY,
   name TEXT NOT NULL UNIQUE,
   machine_id BLOB UNIQUE,
   attached INTEGER NOT NULL,
   wanted INTEGER NOT NULL,
   socket TEXT NOT NULL,
   image TEXT NOT NULL,
   pid INTEGER NOT NULL DEFAULT 0,
   boot_id INTEGER NOT NULL DEFAULT 0,
   event_seq INTEGER NOT NULL DEFAULT 0,
   created_us INTEGER NOT NULL) STRICT;
CREATE TABLE releases( id INTEGER PRIMARY KEY,
   service TEXT NOT NULL,
   release_id BLOB NOT NULL UNIQUE,
   counter INTEGER NOT NULL,
   floor INTEGER NOT NULL,
   source_id BLOB NOT NULL,
   state_hash BLOB NOT NULL,
   key_id BLOB NOT NULL,
   issued INTEGER NOT NULL,
   added_us INTEGER NOT NULL,
   path TEXT NOT NULL) STRICT;
CREATE INDEX releases_service ON releases(service,
   counter);
CREATE TABLE services( id INTEGER PRIMARY KEY,
   machine INTEGER NOT NULL REFERENCES machines(id),
   name TEXT NOT NULL,
   last_number INTEGER NOT NULL DEFAULT 0,
   status BLOB,
   UNIQUE(machine,
   name)) STRICT;
CREATE TABLE variants( id INTEGER PRIMARY KEY,
   release INTEGER NOT NULL REFERENCES releases(id),
   seed_sealed BLOB NOT NULL,
   seed_commit BLOB NOT NULL,
   recipe INTEGER NOT NULL DEFAULT 0,
   base INTEGER NOT NULL DEFAULT 0,
   build_id BLOB,
   payload_hash BLOB,
   payload_len INTEGER NOT NULL DEFAULT 0,
   path TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE generations( id INTEGER PRIMARY KEY,
   service INTEGER NOT NULL REFERENCES services(id),
   number INTEGER NOT NULL,
   variant INTEGER NOT NULL REFERENCES variants(id),
   job INTEGER NOT NULL REFERENCES jobs(id),
   state INTEGER NOT NULL,
   envelope BLOB,
   issued INTEGER NOT NULL DEFAULT 0,
   expires INTEGER NOT NULL DEFAULT 0,
   committed_us INTEGER NOT NULL DEFAULT 0,
   UNIQUE(service,
   number)) STRICT;
CREATE INDEX generations_job ON generations(job);
CREATE TABLE jobs( id INTEGER PRIMARY KEY AUTOINCREMENT,
   txn INTEGER UNIQUE,
   machine INTEGER NOT NULL REFERENCES machines(id),
   service TEXT NOT NULL,
   kind INTEGER NOT NULL,
   state INTEGER NOT NULL,
   step INTEGER NOT NULL,
   identity TEXT NOT NULL,
   from_generation INTEGER NOT NULL DEFAULT 0,
   generation INTEGER NOT NULL DEFAULT 0,
   release INTEGER REFERENCES releases(id),
   prepare_only INTEGER NOT NULL DEFAULT 0,
   quiescent TEXT NOT NULL DEFAULT '',
   timeout_ms INTEGER NOT NULL DEFAULT 0,
   hold_ms INTEGER NOT NULL DEFAULT 0,
   boot_id INTEGER NOT NULL DEFAULT 0,
   accepted INTEGER NOT NULL DEFAULT 0,
   cause BLOB,
   hint TEXT NOT NULL DEFAULT '',
   result BLOB,
   created_us INTEGER NOT NULL,
   ended_us INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX jobs_open ON jobs(machine,
   id) WHERE ended_us = 0;
CREATE INDEX jobs_service ON jobs(machine,
   service,
   id);
CREATE TABLE job_steps( job INTEGER NOT NULL REFERENCES jobs(id),
   n INTEGER NOT NULL,
   step INTEGER NOT NULL,
   state INTEGER NOT NULL,
   started_us INTEGER NOT NULL,
   ended_us INTEGER NOT NULL DEFAULT 0,
   detail TEXT NOT NULL DEFAULT '',
   PRIMARY KEY(job,
   n)) STRICT,
   WITHOUT ROWID;
CREATE TABLE events( id INTEGER PRIMARY KEY AUTOINCREMENT,
   machine INTEGER NOT NULL REFERENCES machines(id),
   boot_id INTEGER NOT NULL,
   seq INTEGER NOT NULL,
   clock_ns INTEGER NOT NULL,
   seen_us INTEGER NOT NULL,
   body BLOB NOT NULL,
   UNIQUE(machine,
   boot_id,
   seq)) STRICT;
-- version 2
ALTER TABLE services ADD COLUMN seen_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE machines ADD COLUMN removed_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE machines ADD COLUMN is_default INTEGER NOT NULL DEFAULT 0;
UPDATE machines SET is_default = 1 WHERE id = (SELECT min(id) FROM machines);
ALTER TABLE releases ADD COLUMN blocked_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE releases ADD COLUMN blocked_job INTEGER NOT NULL DEFAULT 0;
ALTER TABLE releases ADD COLUMN blocked_why TEXT NOT NULL DEFAULT '';
-- version 3
CREATE TABLE orders( id INTEGER PRIMARY KEY,
   job INTEGER NOT NULL REFERENCES jobs(id),
   machine INTEGER NOT NULL REFERENCES machines(id),
   boot_id INTEGER NOT NULL,
   line INTEGER NOT NULL,
   epoch INTEGER NOT NULL,
   txn INTEGER NOT NULL,
   action INTEGER NOT NULL,
   expires INTEGER NOT NULL,
   sent INTEGER NOT NULL DEFAULT 0,
   accepted INTEGER NOT NULL DEFAULT 0,
   envelope BLOB NOT NULL,
   created_us INTEGER NOT NULL,
   UNIQUE(machine,
   epoch,
   txn)) STRICT;
CREATE INDEX orders_job ON orders(job,
   id);
ALTER TABLE machines ADD COLUMN line INTEGER NOT NULL DEFAULT 0;
ALTER TABLE services ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE services ADD COLUMN run_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE services ADD COLUMN run_number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE generations ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE releases ADD COLUMN state_len INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN consent BLOB;
ALTER TABLE jobs ADD COLUMN accept_loss INTEGER NOT NULL DEFAULT 0;
CREATE TABLE events_of_lines( id INTEGER PRIMARY KEY AUTOINCREMENT,
   machine INTEGER NOT NULL REFERENCES machines(id),
   boot_id INTEGER NOT NULL,
   line INTEGER NOT NULL DEFAULT 0,
   seq INTEGER NOT NULL,
   clock_ns INTEGER NOT NULL,
   seen_us INTEGER NOT NULL,
   body BLOB NOT NULL,
   UNIQUE(machine,
   boot_id,
   line,
   seq)) STRICT;
INSERT INTO events_of_lines(id,
   machine,
   boot_id,
   seq,
   clock_ns,
   seen_us,
   body) SELECT id,
   machine,
   boot_id,
   seq,
   clock_ns,
   seen_us,
   body FROM events;
DROP TABLE events;
ALTER TABLE events_of_lines RENAME TO events;
-- version 4
ALTER TABLE jobs ADD COLUMN from_release INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN pairing BLOB;

CREATE TABLE schema_version (
	version INTEGER NOT NULL,
	PRIMARY KEY (version)
);
INSERT INTO schema_version VALUES(2);
CREATE TABLE accounts (
	name VARCHAR(64) NOT NULL,
	quota BIGINT NOT NULL,
	stored BIGINT NOT NULL,
	PRIMARY KEY (name)
);
INSERT INTO accounts VALUES('local',107374182400,3047514);
CREATE TABLE sweeps (
	id INTEGER NOT NULL,
	expires BIGINT NOT NULL,
	settled BOOLEAN NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO sweeps VALUES(1,1767323105678901,1);
CREATE TABLE jobs (
	id VARCHAR(32) NOT NULL,
	account VARCHAR(64) NOT NULL,
	project VARCHAR(64) NOT NULL,
	name TEXT NOT NULL,
	state VARCHAR(16) NOT NULL,
	reason VARCHAR(32),
	exit_code INTEGER,
	spec TEXT NOT NULL,
	directory BLOB NOT NULL,
	created BIGINT NOT NULL,
	started BIGINT,
	finished BIGINT,
	cancel_requested BIGINT,
	PRIMARY KEY (id),
	FOREIGN KEY(account) REFERENCES accounts (name)
);
INSERT INTO jobs VALUES('job_1_abc123','local','demo','näme 1','SUCCEEDED',NULL,0,'{"script": "run.sh"}',X'2f686f6d652fff2f6a6f6273',1767323045679901,1767323045678901,1767323045678901,NULL);
CREATE TABLE manifests (
	id INTEGER NOT NULL,
	account VARCHAR(64) NOT NULL,
	base VARCHAR(256) NOT NULL,
	version INTEGER NOT NULL,
	kind VARCHAR(16) NOT NULL,
	project VARCHAR(64),
	name VARCHAR(128) NOT NULL,
	complete BOOLEAN NOT NULL,
	root BLOB NOT NULL,
	body TEXT NOT NULL,
	removed BIGINT,
	PRIMARY KEY (id),
	CONSTRAINT manifests_by_ref UNIQUE (account, base, version),
	FOREIGN KEY(account) REFERENCES accounts (name)
);
INSERT INTO manifests VALUES(1,'local','/datasets/a',1,'dataset',NULL,'a',1,X'3ae7d805f6789a6402acb70ad4096a85a56bf6804eaf25c0493ac697548d30b5','{"format":1,"ref":"/datasets/a/@v1","created":"2026-01-02T03:04:05.678Z","complete":true,"root":{"digest":"3ae7d805f6789a6402acb70ad4096a85a56bf6804eaf25c0493ac697548d30b5","mode":493,"mtime_ns":1700000000123456789,"span":{"blob":"3ae7d805f6789a6402acb70ad4096a85a56bf6804eaf25c0493ac697548d30b5","offset":0,"size":812},"files":3,"directories":1,"bytes":4096},"inventory":{"blobs":0,"bytes":0,"parts":[]}}',NULL);
INSERT INTO manifests VALUES(2,'local','/jobs/job_1_abc123',0,'job',NULL,'job_1_abc123',1,X'08112a9e334ce73042b531c25668cf5cb12a1ee040a4326afeac065461079a06','{"format":1,"ref":"/jobs/job_1_abc123","created":"2026-01-02T03:04:05.678Z","complete":true,"root":{"digest":"08112a9e334ce73042b531c25668cf5cb12a1ee040a4326afeac065461079a06","mode":493,"mtime_ns":1700000000123456789,"span":{"blob":"08112a9e334ce73042b531c25668cf5cb12a1ee040a4326afeac065461079a06","offset":0,"size":812},"files":3,"directories":1,"bytes":4096},"inventory":{"blobs":0,"bytes":0,"parts":[]}}',NULL);
CREATE TABLE ledger (
	id INTEGER NOT NULL,
	account VARCHAR(64) NOT NULL,
	at BIGINT NOT NULL,
	ref TEXT NOT NULL,
	delta BIGINT NOT NULL,
	balance BIGINT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(account) REFERENCES accounts (name)
);
INSERT INTO ledger VALUES(1,'local',1767323045678901,'/datasets/a/@v1',2023757,2023757);
INSERT INTO ledger VALUES(2,'local',1767323045678901,'/jobs/job_1_abc123',1023757,3047514);
CREATE TABLE condemned (
	digest BLOB NOT NULL,
	sweep INTEGER NOT NULL,
	PRIMARY KEY (digest, sweep),
	FOREIGN KEY(sweep) REFERENCES sweeps (id)
)
 WITHOUT ROWID
;
INSERT INTO condemned VALUES(X'026ed82c4fff0dc3c84dc96cf999e00578522d5f7c16921808de90a01745d66b',1);
CREATE TABLE consumed (
	job VARCHAR(32) NOT NULL,
	position INTEGER NOT NULL,
	ref BLOB NOT NULL,
	base VARCHAR(256) NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (job, position),
	FOREIGN KEY(job) REFERENCES jobs (id)
);
INSERT INTO consumed VALUES('job_1_abc123',0,X'2f64617461736574732f612f4076312f737562','/datasets/a',1);
CREATE TABLE manifest_blobs (
	manifest INTEGER NOT NULL,
	digest BLOB NOT NULL,
	size INTEGER NOT NULL,
	PRIMARY KEY (manifest, digest),
	FOREIGN KEY(manifest) REFERENCES manifests (id)
)
 WITHOUT ROWID
;
INSERT INTO manifest_blobs VALUES(1,X'813e9b729141e7f385afa0a2d0df3e6c3789e427ffe4aeef566a565bc8f2fe3d',1015838);
INSERT INTO manifest_blobs VALUES(1,X'd63bd9a826af91c1fea371965a64e11ee20f13e46b5f52c59901136605b3a487',1007919);
INSERT INTO manifest_blobs VALUES(2,X'58d6fd3dc609068615d66b6a2616cce521e6bd49bbcd7854e3f2573b142c6637',1023757);
INSERT INTO manifest_blobs VALUES(2,X'813e9b729141e7f385afa0a2d0df3e6c3789e427ffe4aeef566a565bc8f2fe3d',1015838);
CREATE INDEX jobs_by_state ON jobs (account, state, created, id);
CREATE INDEX jobs_by_project ON jobs (account, project, created, id);
CREATE INDEX jobs_by_time ON jobs (account, created, id);
CREATE INDEX manifests_by_kind ON manifests (account, kind, project, name);
CREATE INDEX ledger_by_account ON ledger (account, id);
CREATE INDEX condemned_by_sweep ON condemned (sweep);
CREATE INDEX consumed_by_base ON consumed (base, version);
CREATE INDEX manifest_blobs_by_digest ON manifest_blobs (digest, manifest);

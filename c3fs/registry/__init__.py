"""The registry keeps jobs, manifests, sweeps and the storage ledger. One protocol (`base`), and behind it SQL.

    sql         the protocol, of one account             http        the same, asked of a control plane
    database    transactions, tried again; errors        calls       from tasks, in worker threads
    sqlite, postgres    connections, bounds, one table of errors each; engines: what is different between them
    opening     tables made or brought up to date        migrations  how, by Alembic
    schema      the tables                               views       what of an account is seen
    jobs        records and transitions                  consumed    what jobs consume: lineage
    refs        what a ref names                         manifests   registering, listing, removing
    ledger      what an account stores and is charged    sweeps      what gc may delete
    again       calls whose COMMIT was not answered      glance      names alone, without SQLAlchemy: for completion
    control     a control plane's: access, users, keys, principals, readable, queue, deposits, joblogs

What it decides: which transitions of a job happen, what a ref names, and what an account is charged. It holds no
blob and fetches none: the inventory's rows come with the manifest.

Invariants
- A manifest's row never changes once it is there. Registering it again compares and does nothing; another
  tree under its ref is refused. What is not canonical (spaces, order of keys) is made so before it is
  compared or kept, and what is read is decoded like a stranger's.
- A number of a version is given once. A tree that was removed leaves its row behind, without blobs, so a frozen ref in
  a job's record names what the job had, or nothing; never something else.
- What a job that has not ended consumes cannot be removed: adding the job looks for it, removing looks for such jobs,
  and both hold the account's lock.
- A manifest that can be read names only blobs that gc has left alone; see below.
- accounts.stored == the balance of the newest ledger line == the sum of the sizes of the unique blobs that
  the account's manifests name. All three change in the transaction that inserts the manifest, in which also
  the charge is reckoned: from the rows, never from a counter of references that could drift.
- A job's state follows core.job.TRANSITIONS whoever writes: the UPDATE asks for the states it may come from.

Concurrency
- In SQLite writers follow one another. A writing transaction takes the one lock before it reads anything, so two
  registers that share blobs are charged one after the other, and the second finds the first one's rows.
- In PostgreSQL a writer first locks the row that its work hangs on: the account's for registering, removing, condemning
  and adding a job that consumes something (`ledger.lock_account`), the job's for asking for its end. What it reads
  after that was committed by those before it, for it runs in READ COMMITTED: every statement sees what is committed
  when it begins. REPEATABLE READ would not do: its state is chosen by the very statement that waits for the lock, and
  a row that was locked and not changed (by condemning) raises no error, so registering would miss the sweep.
  SERIALIZABLE would do without locks, and fails the later of two registers of an account after seconds of work instead
  of letting it wait. Numbers of sweeps and versions are taken under the lock, so they are committed in their order.
- The lock is FOR NO KEY UPDATE: adding other jobs, whose rows refer to the account, need not wait for a register.
- A move is one UPDATE that asks for the states it may come from; of two the second waits, looks at the row again, finds
  it changed and says which state the first one made.
- All transactions that lock an account and a job lock the account first; what deadlocks all the same, and what fails to
  serialize, is tried again from its beginning.
- Readers see one state of the database: SQLite's from the first SELECT on, in PostgreSQL REPEATABLE READ, READ ONLY.
  They wait for nobody and never have to be tried again for others' sake.
- Within a process: calls are synchronous, in at most as many worker threads as the pool has connections (sqlite,
  postgres: CONNECTIONS), whatever number of accounts share it; nothing else is shared. Under trio and asyncio alike.
- A connection must not cross a fork: open the registry after it.

Sweeps. The store knows no transactions, so gc and a publisher that finds an old blob in it agree here. gc condemns, in
one transaction that looks whether any manifest names it, what it is going to delete within some seconds; a sweep is
over when it is settled, or by time. A publisher fetches a mark, the number up to which all sweeps are over, *before* it
asks the store what is missing. Registering fails when a later sweep has condemned one of the blobs:
- condemned before the mark: over by then, so the store's answer, which came after, is true of it;
- condemned after the mark: the registration is refused, whether the blob is deleted by now or not, and the publisher
  begins anew with a new mark;
- named before it was to be condemned: it is not condemned.
So nothing is ever locked while blobs travel, and gc may die at any moment: its sweep ends by time. That a sweep's
seconds are measured by the registry and kept by gc is the one assumption; gc uses half of them (c3fs.gc).

Deposits. A blob that goes past the control plane is put by a URL into which its SHA-256 is signed: S3 refuses other
bytes, and the object's key ends with it. S3 knows no BLAKE3, so a row says: these bytes, which have this SHA-256, stand
for this digest, on the word of who put them. Why that harms no honest uploader:
- Nobody is told that a blob is present but who claims the same digest, size and SHA-256, which he has from the bytes
  themselves: then what is stored are his bytes, whatever they were called before. Both digests are right or his is not.
- A row with another SHA-256 is a dispute. Of two byte strings one at most has the digest, so the control plane reads
  the one that is stored, and settles it: the lie's row and object go. `forget` names the SHA-256, so a settlement that
  comes late takes away nothing that was put instead meanwhile. The honest object has a key of its own all along.
- Readers verify, so a lie that nobody disputes is never served; their complaint is settled in the same way.
- Rows are of one account: whoever lies does so to his own, and nobody learns what others have.
A row is made after the object was seen. A gc may delete it in between, so who confirms takes a mark before he looks,
and confirming fails as registering does when a later sweep has condemned one of the blobs. Condemning removes the rows;
both lock the account, so one comes first: a row that is made before is removed, one that comes after is refused.

The queue: `queue` tells what an attempt and a lease are. A job ends with its lease only when `expire` writes so, and
of that, a renewal and a move one comes first; `expire` and `take` pass over rows that others are writing.

Views. What a principal may read is a View, which every query of its registry asks with. What is not seen is not found,
so the answer is that of a name that nobody used, by construction and not by checks beside it. Ids of jobs are unique
over all accounts: adding one that another account has is a ConflictError (an id holds 31 random bits and the time).
A job that mounts a sub-path may read the blobs of the whole tree: directories and files share blobs.

Crash windows: a transaction is there or not (WAL, synchronous=FULL; PostgreSQL likewise). Registering comes after
the last blob and before the job's final state: killed in between, the job has a manifest that is not shown
until the job is ended, by whoever finds that its agent is lost.

A connection that is lost. Before COMMIT nothing has happened: the call is made again, on another connection, until the
server is back or GIVE_UP_S is over (no ping before each use: that is a round trip for every call to learn what the call
itself finds out). At COMMIT nobody knows; what is done then must do no harm if it has happened, and tell the truth:
- register finds its tree and changes nothing, so nothing is charged twice; it answers that the tree was there, with
  nothing charged, although it may have been this very call. Should another have published a version meanwhile, a data
  set gets a further one with the same tree, whose blobs are named already and cost nothing.
- settle and set_quota say the same again. condemn begins a second sweep, and the first ends by time.
- add_job, move_job, request_cancel and remove look whether it was theirs (`again`): by the whole record, by the time
  that the move or the ledger's line bears. A move to SCHEDULING bears none: StoreUnavailableError, and the job's record
  tells its state.
- What the lost transaction may still hold while the server has not noticed are the locks and keys that the second
  needs: it waits for them, so it sees what the first came to.
When the tries are used up the error says that it is not known whether it was done, and is retryable: the caller that
calls again gets what is said above for register, ConflictError for add_job, IllegalTransitionError for a move that had
been made, RefNotFoundError for what had been removed. None of these charges or gives back twice. PostgreSQL could be
asked for the fate of a transaction by its number (pg_xact_status), but after a crash a number of which nothing reached
the disk is given again: then it tells of another transaction.

Failure: locks are waited for LOCK_WAIT_S, three times that in all, then StoreUnavailableError. A PostgreSQL server ends
statements after STATEMENT_WITHIN_S, and sessions that hold locks and are silent after IDLE_WITHIN_S; one that does not
answer at all is given up after ANSWER_WITHIN_S. No registry, damage, another version, a full disk, no permission, a
standby: StoreRefusedError, which names the place and what to do, and never a password.
A SQLite file is not for network file systems: WAL needs memory that all processes share.

Older tables are changed when they are opened, in one transaction: SQLite's write lock or an advisory lock of
PostgreSQL keeps others waiting, who then find nothing to do. Killed in the middle, the old tables are whole. Of a
SQLite file a copy stays beside it (`registry.db.v2`).

Measured (2 cores, ext4; SQLite, nothing else running): opening 2 ms, 10 ms when it is made; a small register 3 ms; one
of 100,000 blobs 1.2 s, the same again 11 ms, a manifest by ref 0.5 ms. Of the 1.2 s the charge is 0.05 and the commit
0.05; the rest is SQLAlchemy's executemany.
Both databases with fsync, on two cores that were busy with other work (load 6 to 8), the better of two runs each, which
differed by up to a factor of three; calls per second of one task, and of 16:

                    adding jobs    moves      registers    reading jobs    manifests
    SQLite          313    474     211 339    121  269     1641  1409      1301  2450
    PostgreSQL      916   1759     377 654    155   82      922   935      1442  1252

Registers of one account follow one another. One of 100,000 blobs took 1.7 to 2.0 s in SQLite and 4.9 to 9.5 s in
PostgreSQL, the same again 12 to 25 and 40 to 68 ms. In a run of their own (load 10) those rows alone took PostgreSQL
6.4 s by executemany, 4.0 s by an INSERT from unnest() and 2.3 s by COPY.

Which of 1,000 blobs are readable in an account of 1,000,000 rows (1,000 trees; the best of five under a load of 2 to
44): 50 to 58 ms in SQLite, 34 to 44 ms in PostgreSQL; there 100 to 162 ms before the first ANALYZE, which autovacuum
makes some time after a bulk load.

Tried and rejected
- Publishers that say when they begin and end, for gc to wait for: one that dies makes gc wait, or needs a heartbeat.
- Taking a version's number from a count of rows: the number of one that was removed would come again.
- Handing the rows to the driver past SQLAlchemy: 0.5 s, but the parameters' style is the driver's, and 100,000
  blobs are 200 GB that took minutes to upload.
- manifest_blobs with a rowid: 13 instead of 8.5 MB per 100,000 blobs, and 5 % slower. A larger page cache: nothing.
- A table of blobs with reference counts per account: one row less per look-up when charging, which takes
  0.05 s as it is, and a second truth to keep right.
- Times as SQL types: SQLite has none and SQLAlchemy's drop the zone. Integers (microseconds, UTC) sort and compare.
- Joins for what is readable (EXISTS, or a look-up with LIMIT): the same with statistics. Without, PostgreSQL begins
  with the manifests and reads them all: 0.04 to 2.0 s and 0.3 to 0.9 s, in the run that gave 100 to 162 ms.
- Leases that end by the clock of whoever asks: agents would be lost whenever the control plane was away for a while.
- job_logs without a rowid: SQLite then reads whole pieces to compare their keys.
"""

"""The registry keeps jobs, manifests, sweeps and the storage ledger. One protocol (`base`), and behind it SQL.

    sql         the protocol: calls, threads, opening        database    SQLite: transactions, locks, errors
    schema      the tables                                   jobs        records and transitions
    refs        what a ref names                             consumed    what jobs consume: lineage
    manifests   registering, listing, removing               ledger      what an account stores and is charged
    sweeps      what gc may delete                           glance      names alone, without SQLAlchemy: for completion

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
- Between processes: SQLite's one writer. A writing transaction takes its lock before it reads anything, so two
  registers that share blobs are charged one after the other, and the second finds the first one's rows. On a
  database with several writers the account's row is locked first (`ledger.lock_account`) to the same effect.
- Of two racing moves the second one's UPDATE finds no row, and says which state the first one made.
- Within a process: calls are synchronous, in at most CONNECTIONS worker threads; nothing is shared but the pool.
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

Crash windows: a transaction is there or not (WAL, synchronous=FULL; PostgreSQL likewise). Registering comes after
the last blob and before the job's final state: killed in between, the job has a manifest that is not shown
until the job is ended, by whoever finds that its agent is lost.

Failure: locks are waited for LOCK_WAIT_S in SQLite, TRIES times, then StoreUnavailableError. No registry, damage,
another version, a full disk, no permission: StoreRefusedError, which names the file and what to do.
The database is not for network file systems: WAL needs memory that all processes share.

Measured (2 cores, ext4): opening 2 ms, 10 ms when it is made; a small register 3 ms; one of 100,000 blobs 1.2 s, the
same again 11 ms, a manifest by ref 0.5 ms. Of the 1.2 s the charge is 0.05 and the commit 0.05; the rest is
SQLAlchemy's executemany.

Tried and rejected
- Publishers that say when they begin and end, for gc to wait for: one that dies makes gc wait, or needs a heartbeat.
- Taking a version's number from a count of rows: the number of one that was removed would come again.
- Handing the rows to the driver past SQLAlchemy: 0.5 s, but the parameters' style is the driver's, and 100,000
  blobs are 200 GB that took minutes to upload.
- manifest_blobs with a rowid: 13 instead of 8.5 MB per 100,000 blobs, and 5 % slower. A larger page cache: nothing.
- A table of blobs with reference counts per account: one row less per look-up when charging, which takes
  0.05 s as it is, and a second truth to keep right.
- Times as SQL types: SQLite has none and SQLAlchemy's drop the zone. Integers (microseconds, UTC) sort and compare.
"""

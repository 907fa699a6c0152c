"""Stores keep blobs by digest: get, put, missing. One protocol (`base`), one file per mechanism.

    directory   files in a directory, put durably        memory     a dict
    shelf       one of its 256 directories, locked       blobfile   whole files
    s3          objects in a bucket (and s3bucket, s3client, s3errors, s3keys, s3listing, s3settings)
    verified    recomputes the digest of what is got     retried    full-jitter retries of retryable errors
    limited     calls at once                            deadline   seconds a call
    counted     calls and bytes                          complaining tells of blobs that came corrupt
    http        those of a control plane (and gathered: many questions in few requests; remembered: answers for a time)

    transport   moves bytes by URL                       connection  one connection, kept for the next request
    urlerrors   what answers, and no answers, mean       presign     signs such URLs, for a control plane
    checksums   whether a server keeps to what is signed skew        the time as that server has it

A decorator is a store over a store and adds that one thing. They stack as (outermost first)

    Deadline(Retried(Verified(Limited(Deadline(Counted(store), one call)))), altogether)

- Retried over Verified: corrupt bytes may have been corrupted on their way, so they are asked for again.
- Limited under both: a call that pauses between two tries, or is being verified, leaves its place to others.
- A deadline for one call under Limited: waiting for a place is not the store being slow, and a hung call
  frees its place. One for everything on top: a reader waits no longer, however long the queue.
- Complaining between Retried and Verified, where somebody keeps the store: who asks again finds the bad copy gone.
- Counted at the bottom: what crossed the wire, retries and corrupt blobs included.

Invariants
- A name in a store stands for a whole blob, or for none: no reader sees a put half done, whichever of the two
  processes dies when. What a store answers is trusted by nobody above Verified all the same.
- Identical puts are idempotent and may race; none is an error and none waits for the other: who publishes asks what is
  missing and puts that. Only deleting excludes others, for some files of one shelf (c3fs.store.shelf).
- What has been put, or was found there by `missing`, survives a power cut (c3fs.store.directory); in S3, as far as the
  server keeps its own promise of that.
- gc lists and deletes by a protocol of its own (`base.SweepableStore`), which decorators of readers need not know. That
  a blob which was found is not deleted before it is named is no store's business (c3fs.gc); a store promises that a
  deletion which was cancelled, or slept, undoes nothing that it has answered since (c3fs.store.shelf), or says that
  and for how long it cannot know (c3fs.store.s3).
- Cancelling a call never leaves something half done, and waits a second at the most for a disk that hangs; a deletion
  in S3, five for its answer.

Failure: BlobMissingError and StoreRefusedError are permanent, StoreUnavailableError, DeadlineError and
BlobCorruptError may be retried. A local disk's errors are mapped in one table (`oserrors`), an S3 server's answers in
another (`s3errors`). What no retry mends names the place and what to do, and never a secret.

Tried and rejected
- Unnamed files (O_TMPFILE and a link) leave nothing behind when a process is killed, but a link replaces no
  damaged file and several file systems refuse it; temporary names and a sweep work everywhere.
- Verifying inside DirectoryStore.get, in the same thread hop: the check must not depend on which store it is.
- Readers that delete, or move aside, what they found corrupt, so that publishing it again would mend it (`missing`
  looks at sizes, and takes what has rotted for present): who only reads must not change the store, may not be allowed
  to, and bad memory on one machine would take away what is good on the disk. That is for a command which is told to.
- A lock or marker per blob against double puts: the cost of writing identical bytes twice is bandwidth, in a
  race only; that of a lock left behind by a killed process is a blob nobody can put.
"""

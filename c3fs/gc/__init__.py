"""gc: deletes the blobs that no manifest names.

    sweep   the walk over the store's shelves: list, look up, condemn, delete, settle
    lease   how long what was condemned may be deleted

It asks the store what is there and the registry what is named, shelf by shelf (all blobs whose digests begin with the
same byte), so that memory and transactions stay small however large the store is. Each account's bytes were given back
when its manifests were removed: gc changes no ledger, it makes the disk follow.

Why it is safe while others publish

A publisher does: *mark*, ask the store what is *missing*, put that, *register* with the mark. gc does: list, *condemn*,
*delete*, *settle*. The blob in danger is one that nothing names and that the publisher need not put because the store
has it already (or that it has put, and nothing names yet). Condemning and registering are transactions of one registry,
so one of them comes first:
- register, then condemn: the blob is named, and is not condemned.
- condemn, then register: the sweep's number tells. Greater than the mark: the registration is refused (SweptError), if
  the blob is deleted, about to be, or spared; the publisher begins anew. Not greater: the sweep was over when the
  publisher marked, and nothing is deleted on its account afterwards; what the store answered came later and is true.
Nothing else about the order matters: not when gc listed, not how old a blob is, not how far the upload has come.

What "over" rests on. A sweep is over when it is settled or when its seconds have passed.
- Settled: `delete` has ended before. Also when it was cancelled or ran into its deadline: then a worker thread may be
  left in the kernel, but the store promises that it undoes no later answer (SweepableStore.delete). So the sweep is
  settled whichever way `delete` ends, in a shielded scope.
- Not known: a store that other machines share may be asked to delete and not answer (DeletionUnansweredError), and
  still do it, for as long as it honours the request. The same blobs are then condemned for that long, in a sweep which
  nobody settles, before the first one is settled.
- Out of time: gc deletes in the first half of its seconds only, counted from before it asked for them, and looks
  before every file. The other half is for clocks that differ between gc's machine and the publisher's.
  Two clocks are asked, and either can end it: the wall clock, which the registry goes by and which may be set, and one
  that counts on while the machine sleeps. A gc that was stopped between that look and the deletion itself and goes on
  when its time is over is what the directory store's locks are for (c3fs.store.shelf).

Crash windows
- killed between condemn and delete, or in the middle: nothing is lost but time. Until the seconds have passed,
  publishers that need one of the blobs are refused, wait, and try again (c3fs.publish: for longer than that); the
  next gc condemns the blobs once more.
- between delete and settle: the same.
- power cut: a deletion that did not reach the disk is a blob that nothing names, found by the next gc. A blob that is
  put after its deletion is synced after it.
- a publisher killed anywhere: its blobs are named by nothing, and gc's, when they are older than the grace period.

Others who name blobs
- A copy of a published tree puts nothing and asks the store nothing: that the origin is published stands for the
  store's answer, so the origin is looked up after the mark. Removed and swept later, the sweep is greater than the
  mark; removed before, there is nothing to copy. (Looked up before the mark only, its sweep could be over by then.)
- A reader whose tree is removed under it gets BlobMissingError for what it has not read yet, as from any file system
  whose files are deleted; the registry refuses to remove what a job consumes.
- Two gc at once condemn the same blobs twice, in two sweeps, and delete them once.

The grace period (a day) is for speed alone: blobs of an upload that is under way are named by nothing yet, and without
it each gc would make that upload begin anew. With a grace of 0 everything above still holds. A blob's time is that of
its put; one that lies far in the future comes from a clock that was wrong, and protects nothing.

Failure: what store and registry raise ends the run, and what was deleted till then is deleted; the next run goes on.
Cancelled at any point, likewise. Things in the store's directory that no store has put there are counted, not touched.

Measured (2 cores, ext4, SQLite): 100,000 small blobs of which half are named take 4.7 s, 2.8 s in a dry run; the 50,000
that are left take 1.1 s. The process has 57 MiB, 11 of them for that. What costs is a commit for condemning and one for
settling per shelf, and 25 us a deletion.

Tried and rejected
- Setting a blob's time anew when a publisher finds it, and trusting the grace period: safe only as long as no upload
  takes longer and no clock is wrong, and a write for each blob that is reused.
- Reference counts: a second truth that drifts with every crash; what manifests name is in the registry's rows anyway.
- A lock over the store or the registry while gc runs: the upload of a large tree would wait for hours, or gc would.
- Marking all that is reachable first, and deleting the rest at the end: what is named in between must be told to gc,
  and all digests must be kept; a batch of a thousand at a time needs neither.
- One sweep for the whole run: its seconds would have to be hours, and a gc that is killed would hold up publishers for
  as long.
"""

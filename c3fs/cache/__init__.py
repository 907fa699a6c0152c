"""The chunk cache of this machine: LMDB, whole blobs by digest, shared by all mounts and jobs of a user.

It may forget, it never lies, and nobody fails because of it: whatever is wrong with it (full disk, corrupt file, no
permission, no reader slot left) means serving without it, with one warning in the log.

    cache        what the layers above call: get, contains, put, run
    environment  finds, checks, opens, or sets aside and rebuilds the LMDB environment
    records      what one write transaction does: put, touch, drop, evict; keeps the totals
    writer       gathers puts and touches, and commits them in a thread, one batch at a time
    residency    keeps the mapped pages out of the process's resident memory

Reading. One read transaction a process, renewed every 50 ms and after each commit: a view is valid until the caller
suspends. It is ended when nothing was read for a second: a transaction that stays open pins every page freed since, and
the file would grow to its cap. Renewing costs 2 us (LMDB keeps the reader slot), but looking a record up touches each
page of it (py-lmdb does, so that faults come while the GIL is free), 20 us for 2 MiB: views already looked up in the
transaction are kept. A hit is then 1 us. A miss in an old transaction is looked up again in a new one.

Never a wrong byte. What is put was verified by the caller. What another process, or this one in another life, has put
is verified again on its first touch in each process (8 GB/s). A record that fails is dropped and counts as a miss.

Writing. `put` only queues; `PENDING_MAX` bytes at most, beyond that it forgets. Queued blobs are answered from memory.
LMDB's lock lets one process write at a time; the writer thread may wait for it, and nobody waits for the writer.
No WRITEMAP: a full disk is an exception, not SIGBUS. No sync at commit (2.5 GiB/s instead of the disk's speed): a
killed process loses nothing, since the kernel has the pages. A power cut may leave pages of different ages, and a
B-tree that crashes whoever walks it. So the environment carries the kernel's boot id in the file `boot` while anybody
has it open; who finds the mark of another boot sets it aside. The last to close it cleanly syncs it and removes the
mark, so an orderly reboot keeps the cache.

The cap is LMDB's map size: the file cannot grow past it, whoever writes. It is recorded in the environment, and a new
one is only taken by a process that is alone. Before a batch, records are evicted by the time of their last use (to
the minute; touches are gathered in memory) until the batch fits the budget, which is the cap less what the free list
and fragmentation need. If LMDB finds no run of pages all the same (MapFullError), more is evicted, a few times, and
then the batch is forgotten. Totals are kept in the same transaction, so processes agree on them.

Setting aside. All opening happens under a lock file (`lock`), for milliseconds. A broken environment is renamed, then
removed; processes that have it open keep their pages until they close it. A process that meets corruption while
running marks the environment (`broken`), goes on without a cache, and the next one to open rebuilds.

Concurrency in a process: everything but the batch in the writer thread runs in trio's thread. The thread touches
only the batch it was given and transactions of its own; queues are swapped before, results taken after it.
"""

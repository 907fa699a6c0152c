"""Blobs in: from the cache of this machine, or else from the store, once for however many readers.

The hot path is `reader.read_at -> fetcher.cached -> cache.get`: no lock, no log line, no suspension on a hit.

A miss:   reader -> fetcher.fetch -> flight -> store decorators -> store
          verified below us (store.verified), answered from memory, and handed to the cache, which commits it
          behind the readers' backs.

Invariants
- One flight per digest. It is run by the fetcher's own task: a reader that is cancelled neither stops nor
  restarts it, and when it fails everybody who waited gets that failure. Nobody turns into a new leader, so a
  store that is down is asked once per flight (with the store's own retries), not once per reader.
- A flight is removed from the table in the same step that sets its outcome, before anyone runs again: whoever
  comes later either finds the blob (cache or `recent`), or starts a new flight.
- `Fetcher.cached` and everything it calls never suspend. A view into the cache is valid until the caller's
  next suspension: the FUSE reply is sent before that, and whoever keeps bytes longer copies them.

Memory: blobs in flight are bounded by the limit on the store (cli.wiring), prefetched ones by the window, and the
blobs served from memory (`recent`) by 16 MiB; the cache bounds what waits to be committed.

`recent` exists because the cache is allowed to refuse (full disk, broken environment): a reader of 128 KiB pieces
must not fetch a 4 MiB blob 32 times then.

Readahead decides (pure, per open file), the prefetcher does. What a reader asks for overtakes what is
prefetched: prefetching leaves half of the store's connections alone.
"""

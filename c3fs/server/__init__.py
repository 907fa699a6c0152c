"""The control plane over HTTP: who may do what to which record, and where blobs are put and got.

    routes        what a route is                        app         the table of all routes, under Starlette
    dispatch      the way of every request               openapi     the table as an OpenAPI description
    authenticate  from a header to a principal           limits      token buckets
    bodies        bodies and parameters, in bounds       bounds      deadlines
    faults        refusals and defects as answers        visible     what may be done with what is seen
    jobs, queue, logs, trees, blobs, accounts, health    the routes; ranges: of a blob
    plane         what the routes work on                news        waking requests that wait
    gateway       blobs in and out: the protocol         relayed     through the control plane: a directory
    presigned     past it: S3                            signing     where blobs are got and put
    objects       S3 as seen from here                   settling    who is right about a blob
    stores        a gateway for each account             serve       sockets, Hypercorn; workers: processes

The paths are in c3fs.api, the bodies in c3fs.api.messages, exceptions and codes in c3fs.api.faults, roles in
c3fs.core.access. One table of typed routes makes the dispatcher, the description at /v1/openapi.json and the matrix of
principals and routes that the tests go through: a route that is in none of them cannot be.

What it decides
- A request is taken in this order: the key, whether keys of that kind have any business there, parameters, the body
  within its bound, the call. So a stranger makes us read no body, and who is refused for the kind of its key learns
  nothing of what it asked for.
- What a principal may not see its registry does not find (registry.views): it raises what is raised for what is not
  there, with the same status and text, and lists leave it out. What it sees and may not do is 403.
- A blob exists for whoever reads a manifest that names it (one query of the database), in one account. Stores are per
  account, so no question about a digest can be answered from another account's blobs.
- Registering refuses blobs that are not stored. A manifest can name any stored blob of its account: who knows a digest
  has had the bytes, or an inventory with it, and 256 bits are not guessed.

Integrity: no blob of an account is served as what it is not, and nobody can keep an honest uploader from storing it.
- Relayed: bytes are verified before anything is kept. A name stands for its bytes, but for what the disk makes of them.
- Presigned: bytes go past the control plane, and S3 knows no BLAKE3. The URL signs the SHA-256 of the bytes, so S3
  refuses others, and the object's key is `<digest>.<sha256>`: what has been confirmed cannot be overwritten by other
  bytes, however late a put comes. A row (digest, size, sha256) is made when the object is there with that size. So a
  row says: the bytes at this key have this SHA-256. That they have the digest is the uploader's word; each reader
  verifies, so nobody is served wrong bytes. What is left to a liar is to be first with a digest whose honest bytes come
  later. The honest uploader claims the digest with the SHA-256 of its own bytes. It differs from the row's, for S3
  vouches for the row's and two contents do not share a SHA-256. Then the control plane reads that one object (at most 4
  MiB) and computes BLAKE3: the bytes are not the digest's, so the row and the object go, and the honest upload is asked
  for; or they are, and the claim is refused as corrupt (422). A reader who finds wrong bytes complains, to the same
  effect. "Present" is said only to a claim with the row's SHA-256, which is to somebody who has those very bytes.
- An S3 engine that does not enforce the signed checksum is found when the control plane starts, by putting other bytes
  than were signed (store.checksums); puts are relayed then. Until it has answered, nobody is told where to put.

Threats, and what meets them
    guesses keys                         256 bits; a small bucket per address before the database is asked
    reads the database                   keys and tokens are there as SHA-256 only
    reads logs, URLs, process lists      log lines have routes, not URLs; keys travel in a header; refs and digests are
                                         no secrets; a database's password is refused on the command line
    asks for what is another's           404 as for nothing; the same queries are made for both
    a job reads what it does not mount   its token reads its inputs, source and own artifacts, and no list
    a job that has ended                 its token is no good any more
    an agent's key is stolen             takes jobs, whose tokens see what those jobs see; reads and writes nothing else
    uploads wrong bytes                  above
    sends without end, or slowly         bounds on size while it arrives, and on time
    asks without end                     a bucket per user, agent and job; 429 with the seconds to wait
    breaks something                     500 with an id; the traceback is in the log alone

Concurrency: one event loop a process and any number of processes; what they share is the database and the store. News
(somebody appended, queued, ended) wake waiting requests of the same process; others look once a second. Each process
looks for lost agents; the queue's transaction lets one of them find each.

Clocks: clients are told durations. URLs are signed by S3's own time (store.skew), also those by which the control plane
itself looks at objects, so only leases and keys go by its clock: those of several control planes must agree to seconds.

Crash windows are the database's and the store's: a request either committed or did not, and every one may be made
again. An object that was put and never confirmed has no row: gc deletes it.

Failure: a database or store that does not answer is 503, a full disk 507, neither says where; a defect is 500.

Tried and rejected
- FastAPI: dependencies found by signature and pydantic's models beside msgspec's; one table of forty routes is less.
- HEAD for blobs: it would read a whole blob to say how long it is, which whoever has a manifest knows.
- Keeping principals of keys in memory: half a millisecond saved, and a revoked key goes on for that long.
"""

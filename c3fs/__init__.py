"""c3fs: a finished job's artifacts, at once, read-only and verified, inside the next job.

The packages are the layers; imports point down only (import-linter checks it):

    cli                 the commands; the only place that reads the environment, prints, exits
    agent | server      runs a job: sandbox, mounts, script, collect, outcome; takes jobs from a queue
                        | the control plane over HTTP: who may do what, blobs by presigned URL
    fuse                pyfuse3 <-> vfs: translation, errno table, session lifetime
    data                published trees as data: download, diff, copies that move no byte of a file
    vfs                 a published tree as a read-only file system; knows neither FUSE nor HTTP
    fetch | publish | gc    blobs in: flight, fetcher, readahead, reader | blobs out: scan, chunk, pack, upload
                        | blobs away: what no manifest names
    cache | registry    LMDB chunk cache of this machine | jobs, manifests, lineage, storage ledger, sweeps
    store               blob stores behind one protocol (directory, S3, a control plane, memory), and the decorators
                        that stack on them
    api                 the HTTP interface: what both sides say, and the client's side of a call
    core                pure words: digest, names, ref, span, directory, manifest, job spec, roles
    errors              every exception, carrying facts; no errno, no HTTP status

Each package's docstring is its design note: what it decides, invariants, concurrency, failure.
"""

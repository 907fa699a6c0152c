"""The programs `c3` and `c3fs`: the only layer that reads the environment, prints, and ends a process.

What is where
- `c3` and `c3fs` put the commands together; there is one file a command. `program` is what all commands share
  (`-v`, click's errors made ours), `exits` the one table from errors to exit codes and the guard around every
  program, `settings` the one reader of the environment, `output`, `narrow` and `rows` how results look, `progress`
  how long work does. `imported` loads a command when it is asked for.
- `data cp` is `operands` (what SRC and DST mean), `transfer` (onto the disk, with pull), and `into` (a data set):
  `copying` are its two kinds of source, `landing` where they land, `localwalk` what there is to upload.
- `wiring` builds the object graph, and is the only place that knows the order of the store's decorators; `remote` the
  part of it that is a control plane's. `credentials` is the file of `login`, `calling` what commands share that speak
  with the control plane themselves (`login`, `key`, `user`).
- `projectfile`, `ignore` and `source` read a project: its `.c3`, what of it a job does not get, its published folder.
  `publishing` and `checkout` plug the ways out of and into a working directory into the agent.
- `jobref` says which job a JOB argument means, `places` what a PATH of `c3 data` names, `trees` which published trees
  that stands for, `complete` what Tab offers for either, and `shells` how bash and zsh are told.
- `agent` takes jobs from a control plane's queue and starts a runner for each, which is told by an `assignment` what it
  may act with; `serve`, `admin` and `databases` are for whoever runs the control plane.
- Three processes are ours besides the commands: `runner` runs one job (c3fs.agent.run) and outlives the shell, or the
  agent, that made it; `sandbox` is what the job's processes descend from (c3fs.agent.sandbox); `serving` serves a
  mount.

Exit codes

    0    done
    1    done, and the answer is no: the job that was followed did not succeed, two trees differ, a question
         was answered with no
    2    the command line, a ref or a .c3 file is wrong; the same input is never accepted
    3    no such job, ref, file or directory; or it is of another kind
    4    not now: the job has not finished, or somebody else was quicker
    5    cannot mount or unmount
    6    a store or registry that did not answer in time; the same command may succeed later
    7    damaged: a blob is missing or corrupt, a directory or manifest malformed
    8    this machine: no permission, disk full, a setting that cannot be used
    9    a job could not be started or followed
    10   the control plane does not let this key do that, or there is none
    70   a defect of c3fs; run again with -v and report it
    130  Ctrl-C
    141  whoever read our output has closed it (`c3 … | head`)

JSON that scripts rely on (sizes in bytes, times in ISO 8601 UTC, null for what is not known)

    c3 deploy      {"id", "project", "name"}; with -f the log goes to stderr then
    c3 squeue      [{"job_id", "project", "name", "status", "reason", "exit_code", "created", "started", "finished"}]
    c3 show        squeue's keys and {"cancel_requested", "source", "inputs": [{"ref", "mount", "asked"}], "outputs",
                   "time" (seconds), "ignored", "artifacts": {"ref", "files", "bytes", "complete"}, "log", "directory",
                   "agent"}
    c3 lineage     {"ref", "job_id", "project", "name", "status", "created", "remark", "inputs": [likewise],
                   "consumers": [likewise]}; null for what is shown elsewhere
    c3 cancel      [{"job_id", "status"}]
    c3 quota       {"quota", "stored", "percent"}
    c3 data ls     [{"path", "name", "kind", "mode", "size", "mtime"}] and "files" of a directory, whose size is all
                   that lies below it, or "target" of a symlink
    c3 data rm     {"removed": [refs], "freed"}
    c3 data du     [{"path", "bytes", "files", "unique"}], of several trees the total last
    c3 data log    [{"ref", "version", "created", "files", "bytes", "complete"}]
    c3 data diff   [{"change", "path", "before", "after"}], the change being added, removed or changed, and sizes
    c3 data cp     [{"source", "path", "files", "bytes", "intact"}] onto the disk, "intact" files being there already;
                   [{"source", "path", "files", "bytes", "uploaded", "created"}] into a data set, "path" the frozen ref
                   that it became, "created" false when nothing changed; [{"source", "path"}], a file each, in a dry run
    c3 pull        {"jobs": [{"job_id", "directory"}]}
    c3 balance     {"stored", "quota", "percent", "lines": [{"at", "ref", "delta", "balance"}]}
    c3 login       {"endpoint", "account", "kind", "name", "roles": {project: role}}; c3 whoami likewise
    c3 key create  {"key", "id", "user", "kind", "label", "created", "expires", "revoked"}
    c3 key list    [likewise, without "key"]
    c3 user list   [{"name", "created", "roles": {project: role}}]
    c3fs gc        {"dry_run", "deleted": {"blobs", "bytes"}, "named": likewise, "young": likewise, "left", "foreign",
                   "temporary"}, see c3fs.gc.sweep.Swept; "deleted" is what would be, in a dry run
    c3fs mounts    [{"ref", "mountpoint", "state"}], the state being live, dead or silent

Diagnostics are always on stderr, one line an error; stdout has results alone. What was half-done when Ctrl-C came
is taken away, or never had its final name.

The mount's process is small. `c3fs mount` looks up the ref with the registry, then hands a plan (manifest, store,
cache, mountpoint) to a fresh interpreter that imports neither SQLAlchemy nor click, rich or the publish layer, and
that does not hold the user's working directory. With --foreground it becomes that interpreter (exec), so signals
and the exit code need nobody to pass them on.

Coming live. The parent waits on a pipe for {"ready": true}, looks at the mount itself (stat), and only then ends
with 0. The wait is bounded (30 s); on failure, timeout or Ctrl-C it ends the child, kills it if need be, and
clears the mountpoint. A child that loses its parent in between mounts all the same: nobody is left waiting, and
`c3fs mounts` shows it. A lock on the mount's log file keeps two `c3fs mount` of one mountpoint apart.

Completion has 0.3 s until it is felt, so it loads neither SQLAlchemy (c3fs.registry.glance) nor commands that are not
typed. Of a core it takes 0.21 to 0.30 s for jobs and refs, with 3 jobs as with 3,000, where it took 0.62 to 0.70 with
both (medians of 15, in turn, on 2 cores under a load of 4); all that is left is starting Python, click and trio. It
says nothing of errors, makes nothing, and does not look for lost jobs.

Jobs that lost their agent are marked FAILED / AGENT_LOST by whatever command opens the registry next: the runner
holds a lock in the job's directory as long as it lives, and a free lock under an unfinished job tells.

Rejected: a daemon that serves all mounts (one crash takes every mount, and one session per process is what pyfuse3
offers); fork without exec for the mount (it would carry SQLAlchemy and its threads' locks along); click's own
standalone mode (several lines an error, exit code 1 for a closed pipe, groups of exceptions as tracebacks).
"""

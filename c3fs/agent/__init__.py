"""Runs a job: sandbox, mounts, script, upload, outcome; and takes jobs from the queue of a control plane.

    run         the life of one job, PENDING to its final state        workspace    its directory on this machine
    checks      what is refused before it starts                       outcome      the truth table, pure
    launch      starts the sandbox and follows it                      publication  how the upload is plugged in
    sandbox     makes the private world and watches over it            report       the agent's lines in the job log
    servers     the processes that serve its mounts                    init         the first process of the job
    checkout    how the copying of its project is plugged in               abandoned    what an agent that died leaves

    taking      asks for jobs, as many as there are places      lease        keeps one, and hears of a cancel
    plane       the control plane, as an agent sees it          shipping     sends a job's log on while it is written
    leftovers   what jobs leave on a machine of others

Processes and namespaces

    agent (trio)                     the machine's namespaces
      sandbox                        own mount namespace; for an ordinary user own user namespace, same uid and gid
        server, one a data set       the same
        init                         PID 1 of its own PID namespace; own mount namespace with its own /proc
          bash script                the same, in a session of its own
            …                        whatever it starts

- The sandbox is a fresh interpreter with one thread, since user namespaces and forks that go on in Python need that.
  It and all below it may use only what forks well: no trio before the fork, and none in sandbox or init.
- Servers are outside of the job's PID namespace. A script that says `kill -9 -1` or `pkill python` does not unmount
  its data. LMDB's table of readers tells processes apart by PID, and locks a byte a PID: two servers that are both
  PID 3 of some namespace would be one to it. One PID namespace around servers and script was tried in thought only.
- A process of the job cannot leave its PID namespace, whatever it forks, however it detaches: ending init ends all.

Who ends whom. Every arrow down is PR_SET_PDEATHSIG(SIGKILL), set first thing after the fork and followed by a look
whether the parent is still there; init takes its whole namespace along, the last process of a mount namespace takes
its mounts, and a FUSE connection whose server is gone fails instead of waiting. So kill -9 of the agent at any moment
leaves no process and no mount. PDEATHSIG is sent when the forking *thread* ends: `launch` forks in trio's own.

    crash window                               what is left                         who finds it
    deploy killed before the record            <jobs>/<id>, without record          abandoned, after a minute: removed
    deploy killed before its runner runs       a record, the lock free              abandoned, cli.lost: AGENT_LOST
    agent killed before the sandbox's prctl    sandbox sees another parent, ends    -
    agent killed, any later moment             <jobs>/<id>, its lock free           abandoned, cli.lost: AGENT_LOST
    agent killed after the manifest is there   the same, artifacts visible          the same; the state says AGENT_LOST
    whoever clears one away killed             the rest of it, its lock free        whoever looks next
    sandbox or init killed                     no result: FAILED, AGENT_ERROR       agent

How the script ends is decided once, by the sandbox: `exited` when its main process had ended before the time limit
or the cancel, else TIMED_OUT or CANCELED, whatever code it then ends with. In all cases the rest of its processes
get a second to end by themselves, SIGTERM, the grace time, and SIGKILL; only then are the outputs read.

Every wait has a bound: mounting, the grace time, init's end, the servers' end, the result's arrival, the registry's
answer. Only a script without `time:` may run for ever. A process that waits in the kernel for a mount whose server
hangs cannot be killed; then the servers are killed first, which makes the kernel answer it.

Mount points that the machine does not have are made inside the namespace (see `mountpoints`). Propagation is MS_SLAVE:
mounts of the machine go on appearing in the job (autofs homes), ours never appear outside.

An ordinary user's namespace maps that user alone: files of all others show as `nobody`, and set-user-id programs
(sudo, ping) do not gain rights. Mapping more needs newuidmap and entries in /etc/subuid, which most machines lack.

Without namespaces (forbidden by the machine, and no data sets): init is a subreaper and finds the job's processes by
their parents in /proc. With data sets: SandboxError, which names the setting.

A full disk. A line that does not fit in the log is counted (`joblog`); the job's lock occupies some room, given back
for the last lines and the transaction that records the end (`workspace.RESERVE`).

The registry's state is the last thing that changes: by then the log has said everything, and what is to be removed is.
A job whose artifacts are stored is never FAILED for what comes after (a quota that cannot be asked, a directory that
cannot be removed).

A job from a queue runs as any other, in a runner of its own (c3fs.cli.runner), with the job's token and no key.
- Taken is leased. Who takes draws an `attempt`, under which the same request may be made again when its answer was
  lost; the job is that attempt's, and every renewal says so. When an attempt's job has ended, another begins.
- A lease that ends is never taken up again: the job is FAILED, AGENT_LOST, and whoever still runs it is told so by its
  next renewal, and ends it. What it would register or record is refused, for its token ended with the job. So a job's
  artifacts and its final state come from one run, and no job is run twice.
- The runner renews, not `c3fs agent`: killed, that one is started again, finds by their locks which jobs still run, and
  takes no more than it has places left. A runner that dies is told of at once by the agent that started it, and by the
  end of its lease when both are gone.
- The log is a file here and is sent on by offset, so a piece that was sent and not heard of is sent again and is there
  once. The rest of it goes before the record changes, for half a minute at most: who sees a job ended sees all it said.
- What it uploads is kept in this machine's cache (c3fs.publish.filling), and its directory is removed when it leaves no
  working directory to be looked into.

    crash window                               what is left                         who finds it
    agent killed after the queue has answered  a lease                              its end: AGENT_LOST
    agent killed, its runners alive            runners, locks                       nobody need: they end their jobs
    runner killed                              <jobs>/<id>, its lock free           its agent, at once, or the next one
    machine gone                               a lease                              its end: AGENT_LOST
    control plane or database away             jobs that go on, leases              it gives all leases a new term first
"""

"""The HTTP interface between the control plane and everybody else: its words, and the client's side of a call.

    messages    bodies of requests and answers        accounts    those about users and keys
    faults      exceptions <-> status, code, message  client      one call: key, retries, bounds
    refusals    what was no answer of ours            endpoint    where to, with which key
    body        what is sent

The paths, all below /v1; `ref` is a query parameter, the text of a ref without sub-path:

    GET    health                                  Health, no key          GET   openapi.json   no key
    GET    me                                      Me
    POST   jobs                  NewJob            201 JobRecord
    GET    jobs?project&state&limit                [JobRecord]
    GET    jobs/{id}                               JobRecord
    POST   jobs/{id}/state       Move              JobRecord
    POST   jobs/{id}/cancel                        JobRecord
    POST   jobs/{id}/lease       Renew             Renewed
    GET    jobs/{id}/log?offset&wait               the bytes from there, at most LOG_PIECE_MAX; waits for some
    GET    jobs/{id}/log/tail?lines                the offset where its last lines begin, as LogEnd
    POST   jobs/{id}/log?offset  the bytes         LogEnd; they are appended if offset is where the log ends
    POST   queue/take            Take              Lease, or 204 when there is no job
    GET    consumers?ref                           [JobRecord]
    GET    mark                                    MarkAnswer
    POST   manifests             Register          Registered
    GET    manifests?ref                           Manifest
    GET    refs?ref                                Resolved
    GET    artifacts?project                       {job id: Manifest}
    GET    versions?ref                            [Manifest]
    GET    datasets?project                        [name]
    GET    projects                                [name]
    POST   removals              Refs              Removed
    POST   usage                 Refs              UsageAnswer
    GET    balance?lines                           BalanceAnswer
    PUT    quota                 Quota             204
    POST   blobs/missing         ClaimedBlobs      Missing
    POST   blobs/confirm         ClaimedBlobs      Confirmed
    POST   blobs/urls            Digests           BlobUrls
    POST   blobs/{digest}/complaint                Complaint
    GET    blobs/{digest}                          the bytes, with ranges
    PUT    blobs/{digest}        the bytes         204
    GET    users   [UserRecord]        POST   users         NewUser   201 UserRecord     DELETE users/{name}    204
    PUT    users/{name}/roles/{project}    NewRole  204
    GET    keys    [KeyRecord]         POST   keys          NewKey    201 MadeKey        DELETE keys/{id}       204
"""

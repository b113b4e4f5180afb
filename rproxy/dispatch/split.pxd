cimport cython

from rproxy.commands.spec cimport CommandSpec
from rproxy.dispatch.fragments cimport Fragments
from rproxy.resp.wire cimport RequestScanner
from rproxy.transport.outbox cimport Outbox
from rproxy.upstream.cluster cimport Cluster
from rproxy.upstream.connection cimport UpstreamConnection
from rproxy.upstream.sink cimport Sink


@cython.locals(
    index=cython.Py_ssize_t,
    slot=cython.int,
    size=cython.Py_ssize_t,
    now=cython.double,
    header_of_one=bytes,
    connection=UpstreamConnection,
    outbox=Outbox,
)
cpdef object send_fragments(
    Cluster cluster, CommandSpec spec, RequestScanner scanner, Fragments fragments, Sink sink, Py_ssize_t affinity
)
@cython.locals(before=cython.Py_ssize_t, count=cython.Py_ssize_t, key=cython.Py_ssize_t, position=cython.Py_ssize_t)
cpdef Py_ssize_t write_fragment(
    Outbox outbox,
    CommandSpec spec,
    RequestScanner scanner,
    Fragments fragments,
    Py_ssize_t index,
    bytes header_of_one,
) except -1

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
    key=cython.Py_ssize_t,
    slot=cython.int,
    position=cython.Py_ssize_t,
    before=cython.Py_ssize_t,
    size=cython.Py_ssize_t,
    first=cython.Py_ssize_t,
    step=cython.Py_ssize_t,
    now=cython.double,
    connection=UpstreamConnection,
    outbox=Outbox,
)
cpdef object send_fragments(
    Cluster cluster, CommandSpec spec, RequestScanner scanner, Fragments fragments, Sink sink, Py_ssize_t affinity
)

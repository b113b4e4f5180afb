cimport cython

from rproxy.commands.spec cimport CommandSpec
from rproxy.dispatch.route cimport BoundRoute
from rproxy.dispatch.session cimport Session
from rproxy.resp.wire cimport NameIndex, RequestScanner
from rproxy.metrics.counters cimport CommandStats
from rproxy.upstream.cluster cimport Cluster
from rproxy.upstream.connection cimport UpstreamConnection
from rproxy.upstream.sink cimport Sink


cdef class Dispatcher:
    cdef readonly object context
    cdef NameIndex _commands
    cdef BoundRoute _only_route
    cdef bint _counts
    @cython.locals(
        spec=CommandSpec,
        route=BoundRoute,
        slot=cython.int,
        base=cython.Py_ssize_t,
        cluster=Cluster,
        connection=UpstreamConnection,
        stats=CommandStats,
    )
    cpdef object dispatch(self, Session session, Sink sink, long long token, RequestScanner scanner)
    cdef BoundRoute _route_of(self, CommandSpec spec, RequestScanner scanner)
    cdef object _copy_to_mirrors(self, BoundRoute route, CommandSpec spec, RequestScanner scanner, int slot)

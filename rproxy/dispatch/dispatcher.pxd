cimport cython

from rproxy.commands.spec cimport CommandSpec
from rproxy.dispatch.fragments cimport Fragments
from rproxy.dispatch.mirror cimport Mirror
from rproxy.dispatch.route cimport BoundRoute
from rproxy.dispatch.session cimport Session
from rproxy.resp.name_index cimport NameIndex
from rproxy.resp.wire cimport RequestScanner
from rproxy.metrics.counters cimport CommandStats
from rproxy.upstream.cluster cimport Cluster
from rproxy.upstream.connection cimport UpstreamConnection
from rproxy.upstream.sink cimport Sink


cdef class Dispatcher:
    cdef readonly object context
    cdef NameIndex _commands
    cdef BoundRoute _only_route
    cdef bint _counts
    @cython.locals(spec=CommandSpec, cost=cython.Py_ssize_t)
    cpdef Py_ssize_t dispatch(self, Session session, Sink sink, long long token, RequestScanner scanner) except -1
    @cython.locals(
        route=BoundRoute,
        slot=cython.int,
        base=cython.Py_ssize_t,
        cluster=Cluster,
        connection=UpstreamConnection,
        stats=CommandStats,
    )
    cdef Py_ssize_t _send_directly(
        self, CommandSpec spec, Session session, Sink sink, long long token, RequestScanner scanner
    ) except -1
    @cython.locals(fragments=Fragments)
    cdef Py_ssize_t _send_split(
        self,
        BoundRoute route,
        CommandSpec spec,
        Session session,
        Sink sink,
        long long token,
        RequestScanner scanner,
    ) except -1
    @cython.locals(position=cython.Py_ssize_t, last=cython.Py_ssize_t)
    cdef bint _is_allowed(self, CommandSpec spec, Session session, RequestScanner scanner) except -1
    cdef BoundRoute _route_of(self, CommandSpec spec, RequestScanner scanner)
    @cython.locals(mirror=Mirror)
    cdef object _copy_to_mirrors(self, BoundRoute route, CommandSpec spec, RequestScanner scanner, int slot)


cdef Py_ssize_t _SLOW

from rproxy.commands.spec cimport CommandSpec
from rproxy.dispatch.mirror cimport Mirror
from rproxy.metrics.counters cimport CommandStats
from rproxy.resp.wire cimport ReplyScanner, RequestScanner
from rproxy.transport.connection cimport Turn
from rproxy.upstream.cluster cimport Cluster
from rproxy.upstream.connection cimport UpstreamConnection
from rproxy.upstream.sink cimport Sink


cdef class SplitReply(Sink):
    cdef Sink _sink
    cdef long long _token
    cdef CommandStats _stats
    cdef Turn _turn
    cdef double _started
    cdef object _policy
    cdef list _fragments
    cdef list _parts
    cdef Py_ssize_t _missing


cpdef list fragments_of(CommandSpec spec, RequestScanner scanner)
cpdef object send_fragments(
    Cluster cluster, CommandSpec spec, RequestScanner scanner, list fragments, Sink sink, Py_ssize_t affinity
)

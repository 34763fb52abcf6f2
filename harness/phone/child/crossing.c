/* RTP that crosses a media transport, put aside with its time, so that no packet waits for Python.
 *
 * A callback of Python's costs a switch of threads, and of each leg a hundred packets a second come and go. What calls
 * for a decision goes aside, to Python, all the same: the first packet from a source, RTCP, and what finds no room.
 *
 * crossing.py has the same layout, makes the memory, and empties the rings. Of pjproject 2.15 only public structures are
 * used, as far as they are spelled out here: its headers do not come with the wheel.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "record.h"

#define RING_OCTETS 32768u /* three seconds of G.711; a power of two */
#define FIRST_RTCP 192     /* second octets of what may share the port (RFC 5761 section 4) */
#define LAST_RTCP 223

/* pjmedia_tp_cb_param */
struct arrival {
    void *user_data;
    const uint8_t *packet;
    ptrdiff_t size;
    const void *source; /* pj_sockaddr */
    int switch_remote;
};

/* pjmedia_transport; the functions are a pjmedia_transport_op */
struct transport {
    char name[32];
    int type;
    void *functions;
    void *user_data;
    void *lock; /* pj_grp_lock_t, which the socket's events need, too */
};

typedef int send_rtp(struct transport *, const void *, size_t);
typedef void on_rtp(struct arrival *);
typedef int media_start(struct transport *, void *, const void *, const void *, unsigned);
typedef int group_lock(void *);

/* Records. One thread writes at a time, another reads. */
struct ring {
    _Atomic uint64_t written, read; /* octets since the beginning */
    uint8_t *octets;
    atomic_flag busy; /* somebody writes */
};

/* Begins with the transport's functions, so that send_rtp, which is told of nothing but the transport, finds the rest. */
struct crossing {
    void *functions[13];
    send_rtp *send, *send_aside;
    on_rtp *arrive, *arrive_aside;
    media_start *start;
    group_lock *acquire, *release;
    void *stream;       /* the user data of `arrive` */
    uint8_t source[24]; /* the pj_sockaddr that may be heard unasked: family, port, flow label, address */
    struct ring came, left;
};

static void copy(struct ring *ring, uint64_t to, const void *from, size_t size) {
    size_t begin = to % RING_OCTETS, whole = RING_OCTETS - begin;
    size_t first = size < whole ? size : whole;
    memcpy(ring->octets + begin, from, first);
    memcpy(ring->octets, (const uint8_t *)from + first, size - first);
}

/* False when there is no room. */
static bool put(struct ring *ring, const void *packet, size_t size) {
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    uint64_t used = written - atomic_load_explicit(&ring->read, memory_order_acquire);
    if (size > RING_OCTETS || used + sizeof(struct head) + size > RING_OCTETS - 7)
        return false;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct head head = {now.tv_sec * INT64_C(1000000000) + now.tv_nsec, (int64_t)size};
    copy(ring, written, &head, sizeof head);
    copy(ring, written + sizeof head, packet, size);
    written += filled_up(sizeof head + size);
    atomic_store_explicit(&ring->written, written, memory_order_release);
    return true;
}

/* False when there is no room, or another thread is at it: who hangs up amid a digit sends the end of it at once. */
static bool keep(struct ring *ring, const void *packet, size_t size) {
    if (atomic_flag_test_and_set_explicit(&ring->busy, memory_order_acquire))
        return false;
    bool kept = put(ring, packet, size);
    atomic_flag_clear_explicit(&ring->busy, memory_order_release);
    return kept;
}

/* Whether it is RTP from where the last that may be heard came from. */
static bool is_plain(const struct crossing *crossing, const struct arrival *arrival) {
    if (arrival->size < RTP_HEADER || arrival->source == NULL)
        return false;
    if (arrival->packet[1] >= FIRST_RTCP && arrival->packet[1] <= LAST_RTCP)
        return false;
    sa_family_t family;
    memcpy(&family, arrival->source, sizeof family);
    return memcmp(arrival->source, crossing->source, family == AF_INET6 ? 24 : 8) == 0;
}

void crossing_arrive(struct arrival *arrival) {
    struct crossing *crossing = arrival->user_data;
    if (!is_plain(crossing, arrival) || !keep(&crossing->came, arrival->packet, (size_t)arrival->size)) {
        crossing->arrive_aside(arrival);
        return;
    }
    const void *source = arrival->source;
    arrival->user_data = crossing->stream;
    /* Whoever may be heard is heard at once: the stream drops the first packets of another source. And it asks the transport to
     * send wherever packets come from; but RTP is owed to where the SDP says (RFC 3264 section 5.1), and a phone that mends a
     * wrong address by itself hides it. */
    arrival->source = NULL;
    crossing->arrive(arrival);
    arrival->user_data = crossing, arrival->source = source;
}

int crossing_send(struct transport *transport, const void *packet, size_t size) {
    struct crossing *crossing = transport->functions;
    return (keep(&crossing->left, packet, size) ? crossing->send : crossing->send_aside)(transport, packet, size);
}

/* pjproject asks for packets first and notes then that it has started; a packet that comes in between, as from a far end
 * that speaks before its answer is here, finds it not started, and no other is ever asked for (transport_udp.c, on_rx_rtp).
 */
int crossing_start(struct transport *transport, void *pool, const void *local, const void *remote, unsigned index) {
    struct crossing *crossing = transport->functions;
    crossing->acquire(transport->lock);
    int status = crossing->start(transport, pool, local, remote, index);
    crossing->release(transport->lock);
    return status;
}

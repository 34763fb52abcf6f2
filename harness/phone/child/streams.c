/* RTP streams, counted packet by packet: what arrived, as RFC 3550 has it, and how much of its time the audio fills; what left.
 *
 * streams.py has the same layout, and says what is counted and why. Of each leg a hundred packets a second come through here.
 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "record.h"

#define NANOSECONDS 1e9
#define CLOCK 8000 /* of RTP: for G.711, and for G.722 by RFC 3551 section 4.5.2 */
#define MARKER 0x80
#define FIRST_RTCP 64 /* payload types; it may come to the same port (RFC 5761 section 4) */
#define LAST_RTCP 95
#define FIRST_DYNAMIC 96 /* telephone-events: the phones' codecs have types that RFC 3551 assigns */

/* RFC 3550 appendix A.1. */
#define MAX_DROPOUT 3000
#define MAX_MISORDER 100
#define SEEN 128 /* numbers known to have come or not: those that may come late, and the one before each */
/* Nobody sends more packets of speech a second (RFC 3551 section 4.2: 20 ms each by default, 10 ms at times). */
#define MOST_A_SECOND 100
/* What a network does not delay a packet by; timestamps that say so were set anew, under the same SSRC, or stood still in a hold.
 * (A stall on the way that is longer looks the same; of that what follows counts, which comes all at once.) */
#define NO_JITTER_S 1.0
#define MOST_A_PACKET_S 0.2 /* of audio (RFC 3551 section 4.2) */

/* What is longer is a pause: a hold, another party, silence that nobody announced. It speaks for no thin stream by itself. */
#define PAUSE_MS 200.0
/* What a jitter buffer takes (ITU-T Y.1541 table 1 allows twice 50 ms over two networks; G.1020 section 7.3): what comes later than
 * its neighbours by more is not played in its turn. A delay that changes for good makes nothing late: the buffer follows. */
#define LATE_MS 100.0
#define AROUND 10 /* packets before and after each */
#define TRANSITS (2 * AROUND + 1)
#define OCTETS_A_MS 8 /* of G.711 and G.722 */
#define PAUSES 64

struct pause {
    double began, ended;
};

struct reception {
    double longest_dropout_ms; /* what is longer is told by others: a hold, a stream that ended */
    int64_t types[128];
    int64_t reordered, duplicated, bursts, sources;
    int64_t ssrc, base, highest; /* of the run, the latter extended over its 16 bits; an SSRC of -1 is none */
    int64_t received; /* each once, from the base on */
    int64_t seen[SEEN]; /* for each value of a number's last bits, the newest that came */
    int64_t events_missing; /* in gaps before or after telephone-events */
    int64_t lost_before; /* in runs that have ended */
    int64_t next_ssrc, next_sequence; /* what would make a run of a packet that fits into none */
    double at;
    /* Jitter (appendix A.8), and how long packets are. */
    int64_t has_last, last_timestamp;
    double last_at, jitter, jitters;
    int64_t measured;
    double packet_s; /* how much audio each packet holds, by the timestamps of two in sequence */
    double missing_before_ms; /* in runs that have ended */
    /* How much of its time the audio fills. */
    int64_t flows, flow_type;
    double flow_at, flow_ms; /* when the last packet came, and the length of its audio */
    double spanned_ms, filled_ms;
    /* How long the last packets with audio were under way, from a moment on that nobody knows. */
    int64_t transits, late, transit_timestamp;
    double transit_at, transit_ms[TRANSITS];
    /* Of packets with audio: the newest two sources, how often they took turns, and how many had the timestamp before. */
    int64_t talks, talked, turns, still, still_timestamp;
    int64_t pauses;
    struct pause pause[PAUSES];
};

struct record {
    double at; /* seconds */
    const uint8_t *packet;
    int64_t size;
};

/* The record at that place, which moves behind it; false where there is none, or a torn one. */
static bool read_record(const uint8_t *records, size_t octets, size_t *at, struct record *record) {
    struct head head;
    if (*at > octets || octets - *at < sizeof head)
        return false;
    memcpy(&head, records + *at, sizeof head);
    if (head.size < 0 || (uint64_t)head.size > octets - *at - sizeof head)
        return false;
    *record = (struct record){(double)head.nanoseconds / NANOSECONDS, records + *at + sizeof head, head.size};
    *at += filled_up(sizeof head + (size_t)head.size);
    return true;
}

static uint16_t big16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t big32(const uint8_t *at) {
    return (uint32_t)big16(at) << 16 | big16(at + 2);
}

static bool has_come(const struct reception *of, int64_t number) {
    return of->seen[number & (SEEN - 1)] == number;
}

static void note(struct reception *of, int64_t number) {
    of->seen[number & (SEEN - 1)] = number;
}

static void begin(struct reception *of, int64_t ssrc, int64_t base, int64_t received) {
    int64_t lost = of->sources ? of->highest - of->base + 1 - of->received : 0;
    of->lost_before += lost;
    of->missing_before_ms += 1000 * of->packet_s * (double)lost;
    of->sources++;
    of->ssrc = ssrc, of->base = base, of->highest = base + received - 1, of->received = received;
    for (int at = 0; at < SEEN; at++)
        of->seen[at] = INT64_MIN;
    for (int64_t number = base; number <= of->highest; number++)
        note(of, number);
    of->next_ssrc = -1;
    of->has_last = 0;
    of->jitter = 0;
    of->transits = 0;
}

/* Whether a packet out of any run begins one: the second in sequence does (RFC 3550 appendix A.1). */
static bool begins(struct reception *of, uint32_t ssrc, uint16_t sequence) {
    if (of->next_ssrc != ssrc || of->next_sequence != sequence) {
        of->next_ssrc = ssrc, of->next_sequence = (uint16_t)(sequence + 1);
        return false;
    }
    begin(of, ssrc, (int64_t)sequence - 1, 2);
    return true;
}

/* The RFC allows a gap of a minute whenever it shows; one that is longer than the time that passed is none. */
static double permissible(const struct reception *of, double at) {
    return fmin(MAX_DROPOUT, MAX_MISORDER + trunc((at - of->at) * MOST_A_SECOND));
}

/* A packet comes behind a later one, or again, as where each is sent twice (RFC 7198): that fills no gap. */
static void comes_late(struct reception *of, int64_t number) {
    if (has_come(of, number)) {
        of->duplicated++;
        return;
    }
    note(of, number);
    of->reordered++;
    if (number < of->base) /* it was on its way when the run began */
        return;
    of->received++;
    bool gap_before = !has_come(of, number - 1), gap_after = !has_come(of, number + 1);
    of->bursts += gap_before + gap_after - 1; /* a burst of its own ends, or is split */
}

/* False for a packet that goes no further: twice, late, or out of any run. */
static bool counts(struct reception *of, double at, uint32_t ssrc, uint16_t sequence) {
    if (!of->sources) {
        begin(of, ssrc, sequence, 1);
        return true;
    }
    if (ssrc != of->ssrc)
        return begins(of, ssrc, sequence);
    uint16_t ahead = (uint16_t)(sequence - (uint16_t)of->highest), behind = (uint16_t)-ahead;
    if (behind < MAX_MISORDER) {
        comes_late(of, of->highest - behind);
        return false;
    }
    if (ahead > permissible(of, at))
        return begins(of, ssrc, sequence);
    of->highest += ahead;
    of->received++;
    of->bursts += ahead > 1;
    note(of, of->highest);
    return true;
}

static void measure(struct reception *of, double at, uint32_t timestamp, bool follows) {
    uint32_t before = (uint32_t)of->last_timestamp;
    double before_at = of->last_at;
    bool had_last = of->has_last;
    if (had_last && before == timestamp) /* all packets of a digit have its beginning's (RFC 4733 section 2.2.1), as its first came */
        return;
    of->has_last = 1, of->last_timestamp = timestamp, of->last_at = at;
    if (!had_last)
        return;
    double came = at - before_at, sent = (int32_t)(timestamp - before) / (double)CLOCK;
    if (follows && 0 < sent && sent <= MOST_A_PACKET_S)
        of->packet_s = sent;
    if (fabs(sent - came) > NO_JITTER_S) /* the sender began its timestamps anew, as one does that puts another party on the line */
        return;
    of->jitter += (fabs(came - sent) - of->jitter) / 16;
    of->jitters += of->jitter;
    of->measured++;
}

/* How much audio a packet holds; none where its codec's octets do not say (RFC 3551 table 4). */
static double audio_ms(const uint8_t *packet, int64_t size) {
    int type = packet[1] & 0x7F;
    if (type != 0 && type != 8 && type != 9)
        return 0;
    int64_t ahead = RTP_HEADER + 4 * (packet[0] & 0x0F); /* what a mixer names */
    if (packet[0] & 0x10)
        ahead += 4 + (ahead + 4 <= size ? 4 * big16(packet + ahead + 2) : 0);
    int64_t padding = packet[0] & 0x20 ? packet[size - 1] : 0; /* its last octet counts it (RFC 3550 section 5.1) */
    return fmax(0, (double)(size - padding - ahead)) / OCTETS_A_MS;
}

/* Times are summed from packet to packet, so that jitter, which delays one and hurries the next, cancels out. One that was
 * overtaken, or lost, is taken as there: what is lost is counted elsewhere. ``ahead`` is 0 where a run begins. */
static void flow(struct reception *of, double at, const uint8_t *packet, int64_t size, int64_t ahead) {
    int type = packet[1] & 0x7F;
    bool flowed = of->flows && ahead && !(packet[1] & MARKER) && of->flow_type == type && of->flow_ms > 0;
    double before = of->flow_at, length = of->flow_ms;
    of->flows = 1, of->flow_type = type, of->flow_at = at, of->flow_ms = audio_ms(packet, size);
    if (!flowed)
        return;
    double apart = 1000 * (at - before);
    if (apart < PAUSE_MS) {
        of->spanned_ms += apart;
        of->filled_ms += length * (double)ahead;
    } else if (ahead == 1 && apart < of->longest_dropout_ms && of->pauses < PAUSES)
        of->pause[of->pauses++] = (struct pause){before, at};
}

static double least(const struct reception *of, int64_t from) {
    double found = INFINITY;
    for (int64_t number = from; number < from + AROUND; number++)
        found = fmin(found, of->transit_ms[number % TRANSITS]);
    return found;
}

static void time_transit(struct reception *of, double at, uint32_t timestamp) {
    if (!of->transits)
        of->transit_at = at, of->transit_timestamp = timestamp;
    double under_way = 1000 * (at - of->transit_at - (int32_t)(timestamp - (uint32_t)of->transit_timestamp) / (double)CLOCK);
    if (of->transits && fabs(under_way - of->transit_ms[(of->transits - 1) % TRANSITS]) > 1000 * NO_JITTER_S) {
        of->transits = 0;
        time_transit(of, at, timestamp);
        return;
    }
    of->transit_ms[of->transits++ % TRANSITS] = under_way;
    int64_t first = of->transits - TRANSITS;
    if (first >= 0)
        of->late += of->transit_ms[(first + AROUND) % TRANSITS] - fmax(least(of, first), least(of, first + AROUND + 1)) > LATE_MS;
}

static void compare(struct reception *of, uint32_t ssrc, uint32_t timestamp) {
    if (ssrc != of->talks) {
        of->turns += ssrc == of->talked;
        of->talked = of->talks, of->talks = ssrc;
    } else
        of->still += timestamp == of->still_timestamp; /* RFC 3550 section 5.1: it must increment */
    of->still_timestamp = timestamp;
}

static void take(struct reception *of, double at, const uint8_t *packet, int64_t size) {
    int type = size < RTP_HEADER ? 0 : packet[1] & 0x7F;
    if (size < RTP_HEADER || packet[0] >> 6 != 2 || (FIRST_RTCP <= type && type <= LAST_RTCP))
        return;
    of->types[type]++;
    uint16_t sequence = big16(packet + 2);
    uint32_t ssrc = big32(packet + 8);
    int64_t sources = of->sources, highest = of->highest, reordered = of->reordered, duplicated = of->duplicated;
    bool is_next = counts(of, at, ssrc, sequence);
    if (audio_ms(packet, size) > 0) {
        if (is_next || of->reordered > reordered)
            time_transit(of, at, big32(packet + 4));
        if (of->duplicated == duplicated)
            compare(of, ssrc, big32(packet + 4));
    }
    if (!is_next)
        return;
    int64_t ahead = of->sources == sources ? of->highest - highest : 0;
    if (ahead > 1 && (type >= FIRST_DYNAMIC || of->flow_type >= FIRST_DYNAMIC))
        of->events_missing += ahead - 1;
    of->at = at;
    if (of->flow_type != type) /* who listens for tones knows late of a digit that its timestamp is of */
        of->has_last = 0;
    flow(of, at, packet, size, ahead);
    measure(of, at, big32(packet + 4), ahead == 1);
}

/* Takes what was put aside, as long as there is room for a pause; gives how many octets. */
size_t reception_take(struct reception *of, const uint8_t *records, size_t octets) {
    size_t at = 0;
    struct record record;
    while (of->pauses < PAUSES && read_record(records, octets, &at, &record))
        take(of, record.at, record.packet, record.size);
    return at;
}

/* Packets that we have sent. */
struct sending {
    int64_t offered; /* to the transport, whether it could or not */
    int64_t sent, ssrc, first; /* of the newest source: how many, and the first one's sequence number */
};

void sending_take(struct sending *of, const uint8_t *records, size_t octets) {
    struct record record;
    for (size_t at = 0; read_record(records, octets, &at, &record);) {
        of->offered++;
        if (record.size >= RTP_HEADER) {
            uint32_t ssrc = big32(record.packet + 8);
            if (ssrc != of->ssrc || !of->sent)
                of->ssrc = ssrc, of->first = big16(record.packet + 2), of->sent = 0;
        }
        of->sent++;
    }
}

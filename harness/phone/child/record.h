/* A packet as it is put aside: this, then its octets, filled up to eight. rtp_log.py writes it so to the disk. */
#ifndef HARNESS_PHONE_CHILD_RECORD_H
#define HARNESS_PHONE_CHILD_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define RTP_HEADER 12 /* RFC 3550 section 5.1 */

struct head {
    int64_t nanoseconds; /* monotonic */
    int64_t size;
};

static inline size_t filled_up(size_t octets) {
    return (octets + 7) & ~(size_t)7;
}

#endif

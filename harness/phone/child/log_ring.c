/* The last log lines of a phone process, in a file mapped to memory.
 *
 * pjsua logs some 80 entries for each leg. A third of them come from the audio clock's thread, where a Python callback costs
 * a new thread state and waits for the interpreter. Entries of the media modules are only kept, so C code does that; Python
 * gets all others. log_ring.py has the same layout and creates the file.
 */
#include <endian.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CAPACITY 65536u
#define LONGEST 4096 /* of an entry; pjlib truncates at 4000 characters */

typedef void log_entry(int level, const char *entry, int length); /* pj_log_func */

struct ring {
    uint64_t written; /* big-endian */
    uint8_t octets[CAPACITY];
};

/* Entries by their sender and how their text begins. The SIP transports over UDP have the name of those for media, and
 * Python counts the closed ones. */
static const struct {
    const char *sender, *text;
} media[] = {
    {"conference.c", ""}, {"pjsua_aud.c", ""}, {"pjsua_media.c", ""}, {"wav_player.c", ""}, {"wav_writer.c", ""},
    {"strm", ""},         {"srtp", ""},        {"udp", "UDP media "},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ring *kept;
static log_entry *others;

static uint64_t put(struct ring *ring, uint64_t to, const void *from, size_t size) {
    size_t begin = to % CAPACITY, whole = CAPACITY - begin;
    size_t first = size < whole ? size : whole;
    memcpy(ring->octets + begin, from, first);
    memcpy(ring->octets, (const uint8_t *)from + first, size - first);
    return to + size;
}

void log_ring_write(struct ring *ring, const char *line, size_t length) {
    if (length > CAPACITY / 2)
        length = CAPACITY / 2;
    pthread_mutex_lock(&lock);
    uint64_t written = put(ring, be64toh(ring->written), line, length);
    ring->written = htobe64(put(ring, written, "\n", 1));
    pthread_mutex_unlock(&lock);
}

static bool begins_with(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

static bool is_of_media(const char *entry) {
    const char *sender = entry + strspn(entry, " ");
    const char *text = sender + strcspn(sender, " ");
    text += strspn(text, " .");
    for (size_t i = 0; i < sizeof media / sizeof *media; i++)
        if (begins_with(sender, media[i].sender) && begins_with(text, media[i].text))
            return true;
    return false;
}

void log_ring_entry(int level, const char *entry, int length) {
    if (!is_of_media(entry)) {
        others(level, entry, length);
        return;
    }
    const char *begin = entry + strspn(entry, " ");
    length -= begin - entry;
    while (length > 0 && strchr(" \t\r\n", begin[length - 1]) != NULL)
        length--;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char line[LONGEST];
    int size = snprintf(line, sizeof line, "%.3f %d %.*s", now.tv_sec + now.tv_nsec / 1e9, level, length, begin);
    log_ring_write(kept, line, size < LONGEST ? (size_t)size : LONGEST - 1);
}

/* Called before other threads log. */
void log_ring_keep(struct ring *ring, log_entry *aside) { kept = ring, others = aside; }

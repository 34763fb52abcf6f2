/* The audio clock: every 20 ms the conference bridge takes a frame from each of its ports, and gives one to each.
 *
 * pjmedia's own clock, which does the same, keeps the phase that it began with: audio of a call that is answered waits for it, up
 * to 20 ms. This one can be told when to tick next. Its thread lasts, and rests between calls.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <time.h>

#define SAMPLES 160 /* of a frame */
#define TICK_NS 20000000
#define LONGEST_JUMP_NS 500000000 /* what is later than this is not made up for; pjmedia's own clock has the same */
#define AUDIO 1 /* PJMEDIA_FRAME_TYPE_AUDIO */
#define THREAD_WORDS 64 /* PJ_THREAD_DESC_SIZE */

struct frame { /* pjmedia_frame */
    int type;
    void *buffer;
    size_t size;
    uint64_t timestamp;
    uint32_t bits;
};

typedef int move_frame(void *port, struct frame *frame); /* pjmedia_port_put_frame, pjmedia_port_get_frame */
typedef int register_thread(const char *name, long *description, void **thread); /* pj_thread_register */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed, rests;
    bool runs, ticks;
    int64_t due; /* monotonic, in nanoseconds */
    uint64_t timestamp;
    void *bridge; /* its port of the sound device, where there is none */
    move_frame *put, *get;
    register_thread *register_with_pjlib;
} of = {.lock = PTHREAD_MUTEX_INITIALIZER, .rests = PTHREAD_COND_INITIALIZER};

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void tick(void) {
    int16_t samples[SAMPLES] = {0};
    struct frame frame = {.type = AUDIO, .buffer = samples, .size = sizeof samples, .timestamp = of.timestamp};
    of.put(of.bridge, &frame);
    frame = (struct frame){.buffer = samples, .size = sizeof samples, .timestamp = of.timestamp};
    of.get(of.bridge, &frame);
    of.timestamp += SAMPLES;
}

static void *run(void *unused) {
    static long description[THREAD_WORDS];
    void *thread;
    prctl(PR_SET_NAME, "clock");
    of.register_with_pjlib("clock", description, &thread);
    pthread_mutex_lock(&of.lock);
    for (;;) {
        int64_t at = now();
        if (!of.runs) {
            pthread_cond_broadcast(&of.rests);
            pthread_cond_wait(&of.changed, &of.lock);
        } else if (at < of.due) {
            struct timespec due = {.tv_sec = of.due / 1000000000, .tv_nsec = of.due % 1000000000};
            pthread_cond_timedwait(&of.changed, &of.lock, &due);
        } else {
            of.due = (at - of.due > LONGEST_JUMP_NS ? at : of.due) + TICK_NS;
            of.ticks = true;
            pthread_mutex_unlock(&of.lock); /* whoever wants a tick does not wait for one */
            tick();
            pthread_mutex_lock(&of.lock);
            of.ticks = false;
        }
    }
    return unused;
}

/* Makes the clock, at rest; 0 or an error number. */
int audio_clock_make(void *bridge, move_frame *put, move_frame *get, register_thread *register_with_pjlib) {
    of.bridge = bridge, of.put = put, of.get = get, of.register_with_pjlib = register_with_pjlib;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&of.changed, &monotonic);
    pthread_t thread;
    return pthread_create(&thread, NULL, run, NULL);
}

/* Ticks in so many nanoseconds, and from then on. What is due already is made up for first. */
void audio_clock_tick_in(int64_t nanoseconds) {
    pthread_mutex_lock(&of.lock);
    int64_t at = now();
    if (!of.runs || at < of.due)
        of.due = at + nanoseconds;
    of.runs = true;
    pthread_cond_signal(&of.changed);
    pthread_mutex_unlock(&of.lock);
}

/* Returns once the last tick is over. */
void audio_clock_stop(void) {
    pthread_mutex_lock(&of.lock);
    of.runs = false;
    pthread_cond_signal(&of.changed);
    while (of.ticks)
        pthread_cond_wait(&of.rests, &of.lock);
    pthread_mutex_unlock(&of.lock);
}

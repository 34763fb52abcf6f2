/* The pulse of the main loop, in memory that the parent reads: when it last ran, and when it is due again.
 *
 * While nothing happens the loop stays in here: a return to Python for each pulse, and a message to the parent, would cost
 * many times as much. protocol.py has the same layout.
 */
#include <math.h>
#include <stdbool.h>
#include <time.h>

/* Monotonic times in seconds. */
struct pulse {
    volatile double at, due;
};

/* How the loop waits. */
struct wait {
    double longest;  /* seconds in here */
    double interval; /* between two pulses, while pjsua waits for an event */
    double working;  /* the same while events are handled */
    double late;     /* seconds that a pulse may come after it was due */
};

typedef int handle_events(unsigned milliseconds); /* pjsua_handle_events */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* False if the pulse comes late: the parent is to hear of that first. */
static bool beat(struct pulse *pulse, double within, double late) {
    double at = now();
    if (at > pulse->due + late)
        return false;
    pulse->due = at + within, pulse->at = at;
    return true;
}

/* Has pjsua work until an event was handled or the time is over; false as soon as the loop was late. */
bool pulse_while_waiting(struct pulse *pulse, const struct wait *wait, handle_events *handle) {
    double end = now() + wait->longest, left = wait->longest;
    for (;;) {
        double pause = fmax(0.001, fmin(left, wait->interval));
        if (!beat(pulse, pause, wait->late))
            return false;
        int handled = handle((unsigned)ceil(1000 * pause));
        if (!beat(pulse, wait->working, wait->late))
            return false;
        left = end - now();
        if (handled != 0 || left <= 0)
            return true;
    }
}

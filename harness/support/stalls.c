/* The thread of stalls.py: most processes of phones only wait, and Python would make each of its wake-ups cost several times as
 * much. */
#include <math.h>
#include <time.h>

/* Monotonic times in seconds; the layout is that of stalls.py. Others set it, too. */
struct watch {
    volatile double period, awake, late;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Sleep for a period again and again, until a wake-up comes `allowed` seconds too late. */
void watch(struct watch *watch, double allowed) {
    for (;;) {
        double woken = now(), period = watch->period;
        if (woken > watch->late)
            return;
        watch->awake = woken;
        watch->late = woken + period + allowed;
        struct timespec pause = {0, lround(period * 1e9)};
        nanosleep(&pause, NULL);
    }
}

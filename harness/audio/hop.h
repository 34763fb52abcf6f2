/* What one window holds, as front_end.c finds it, tracker.c follows it and front_end.py unpacks it. */
#ifndef HARNESS_AUDIO_HOP_H
#define HARNESS_AUDIO_HOP_H

#include <stdint.h>

struct hop {
    int32_t symbol; /* low tone × number of high tones + high tone; -1 where no pair stands out */
    int32_t agrees; /* the window before had the same pair, and both tones ran on in phase */
    float share;    /* of the window's energy that the pair holds, 0…1 */
    float power;    /* mean square of the pair, full scale 32768 */
};

#endif

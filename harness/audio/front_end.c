/* What windows hold, of a leg's frame, of many legs' frames, and of a whole recording.
 *
 * numpy multiplies (front_end.py); for what follows each window by itself its calls cost many times the arithmetic.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "hop.h"

#define MOST_TONES 32

struct tones {
    int32_t low, high; /* how many of each; MOST_TONES at most together */
    float min_share, max_twist, min_energy, window_energy;
    const float *turn_cos, *turn_sin, *min_cos;
};

static int strongest(const float *power, int count) {
    int best = 0;
    for (int at = 1; at < count; at++)
        if (power[at] > power[best])
            best = at;
    return best;
}

/* Whether a tone went on from one window's spectrum to the next: now × conj(before), turned back by what the tone turns in
 * one hop, has the phase error as its angle. */
static int in_phase(const struct tones *tones, const float *before, const float *now, int tone) {
    int other = tone + tones->low + tones->high;
    float along = now[tone] * before[tone] + now[other] * before[other];
    float across = now[other] * before[tone] - now[tone] * before[other];
    float turned = along * tones->turn_cos[tone] + across * tones->turn_sin[tone];
    return turned > tones->min_cos[tone] * hypotf(along, across);
}

/* `halves` (rows, 4 × tones) has of each hop the cosines and sines as a window's first half, then as its second; `energies`
 * (rows, 2) likewise. Two hops fewer come out: the first window only serves as the past of the second. */
static struct hop *one_stream(const struct tones *tones, const float *halves, const float *energies, size_t rows, struct hop *hops) {
    int count = tones->low + tones->high, last = -1;
    float spectra[2][2 * MOST_TONES], power[MOST_TONES];
    for (size_t window = 0; window + 1 < rows; window++, halves += 4 * count, energies += 2) {
        float *now = spectra[window % 2], *before = spectra[(window + 1) % 2];
        for (int at = 0; at < 2 * count; at++)
            now[at] = halves[at] + halves[6 * count + at];
        for (int at = 0; at < count; at++)
            power[at] = now[at] * now[at] + now[count + at] * now[count + at];
        float energy = energies[0] + energies[3];
        int low = strongest(power, tones->low), high = strongest(power + tones->low, tones->high);
        float low_power = power[low], high_power = power[tones->low + high], pair = low_power + high_power;
        int symbol = -1, agrees = 0;
        if (pair > tones->min_share * energy && energy > tones->min_energy &&
            fmaxf(low_power, high_power) < tones->max_twist * fminf(low_power, high_power)) {
            symbol = low * tones->high + high;
            agrees = symbol == last && in_phase(tones, before, now, low) &&
                     in_phase(tones, before, now, tones->low + high);
        }
        if (window > 0)
            *hops++ = (struct hop){symbol, agrees, pair / fmaxf(energy, 1e-6f), pair / tones->window_energy};
        last = symbol;
    }
    return hops;
}

/* Of each stream as many rows, one stream after another. */
void tone_pairs(const struct tones *tones, const float *halves, const float *energies, size_t streams, size_t rows, struct hop *hops) {
    for (; streams > 0; streams--, halves += 4 * (tones->low + tones->high) * rows, energies += 2 * rows)
        hops = one_stream(tones, halves, energies, rows, hops);
}

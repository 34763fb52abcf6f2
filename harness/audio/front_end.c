/* What windows hold: the strongest low and high tone of each, of a leg's frame, of many legs' frames, and of a whole recording.
 *
 * A leg's frame has a dozen windows. There numpy's calls, and BLAS that is in no cache then, cost many times the arithmetic.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hop.h"

#define HOP 80 /* samples */
#define MOST_TONES 32
#define LANES 4
#define TOGETHER 9 /* vectors of sums, all of which stay in registers */

typedef float vector __attribute__((vector_size(4 * LANES)));

struct tones {
    int32_t low, high; /* how many of each; MOST_TONES at most together */
    float min_share, max_twist, min_energy, window_energy;
    const float *turn_cos, *turn_sin, *min_cos;
    /* (parts, HOP, TOGETHER × LANES): cosines and sines times the first half of a window, then times the second, and zeros. */
    const float *halves;
    const float *energies; /* (2, HOP): squares of the window's first half, then of the second */
    int64_t parts;
};

/* A hop's samples times all columns of the halves. */
static void multiply(const struct tones *tones, const float *samples, float *products) {
    const float *factor = tones->halves;
    for (int64_t part = 0; part < tones->parts; part++) {
        vector sums[TOGETHER] = {0};
        for (int at = 0; at < HOP; at++)
            for (int number = 0; number < TOGETHER; number++, factor += LANES) {
                vector factors;
                memcpy(&factors, factor, sizeof factors);
                sums[number] += samples[at] * factors;
            }
        memcpy(products, sums, sizeof sums);
        products += TOGETHER * LANES;
    }
}

static float energy_of(const float *samples, const float *weights) {
    vector sums[2] = {0};
    for (int at = 0; at < HOP; at += 2 * LANES)
        for (int number = 0; number < 2; number++) {
            vector sample, weight;
            memcpy(&sample, samples + at + number * LANES, sizeof sample);
            memcpy(&weight, weights + at + number * LANES, sizeof weight);
            sums[number] += sample * sample * weight;
        }
    vector sum = sums[0] + sums[1];
    return sum[0] + sum[1] + sum[2] + sum[3];
}

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

/* Two hops fewer come out than there are: the first window only serves as the past of the second. */
static struct hop *one_stream(const struct tones *tones, const float *samples, size_t count, struct hop *hops) {
    int both = tones->low + tones->high, last = -1;
    float products[2][4 * MOST_TONES + TOGETHER * LANES], spectra[2][2 * MOST_TONES], power[MOST_TONES];
    multiply(tones, samples, products[0]);
    for (size_t window = 0; window + 1 < count; window++, samples += HOP) {
        const float *first = products[window % 2];
        float *second = products[(window + 1) % 2], *now = spectra[window % 2], *before = spectra[(window + 1) % 2];
        multiply(tones, samples + HOP, second);
        for (int at = 0; at < 2 * both; at++)
            now[at] = first[at] + second[2 * both + at];
        for (int at = 0; at < both; at++)
            power[at] = now[at] * now[at] + now[both + at] * now[both + at];
        float energy = energy_of(samples, tones->energies) + energy_of(samples + HOP, tones->energies + HOP);
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

/* `samples` (streams, count, HOP) at full scale 32768. */
void tone_pairs(const struct tones *tones, const float *samples, size_t streams, size_t count, struct hop *hops) {
    for (; streams > 0 && count > 0; streams--, samples += HOP * count)
        hops = one_stream(tones, samples, count, hops);
}

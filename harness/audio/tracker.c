/* The middle of mark detection: symbols one after another make a sequence that belongs to one mark, go on, and end; and how
 * much what was received is like a mark's waveform.
 *
 * tracker.py has the same layout, makes the tables, and asks for the likeness where a sequence is worth it. Every hop of
 * every leg comes through here, and next to nothing is to be done for most of them.
 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hop.h"

#define HOP 80 /* samples */
#define WINDOW 160
#define SYMBOL_HOPS 4
#define ANNOUNCE_HOPS 20
#define HOLD_HOPS 30 /* so long a mark may be covered (loss, a cough) before it has ended */
#define REMEMBERED 6
#define FARTHEST_HOPS 14 /* between two symbols of one sequence */
#define LONG 4           /* symbols: the whole word */

#define MIN_SHARE 0.55 /* of the energy, on average over the symbols of a sequence */
#define MIN_AGAIN 0.30 /* for a mark that is present already */
#define MIN_SAMPLES 720 /* heard before a mark is believed */
#define FEWEST_SAMPLES 640 /* or so many, which have to be nearly the mark's own waveform */
#define NEARLY_ALL 0.95
#define NOT_YET 2.0

#define PERIOD (4 * SYMBOL_HOPS * HOP)
#define LANES 4
#define TOGETHER 4 /* vectors of sums, all of which stay in registers */

typedef float vector __attribute__((vector_size(4 * LANES)));

/* A symbol heard for one window (then it is weak) or for more. */
struct run {
    int64_t start; /* the hop of its first window */
    int32_t symbol, strong;
    double share, power;
    /* The sequence of runs that ends here and belongs to one mark: */
    int64_t first; /* the hop of its first run */
    int32_t word;  /* mark × 4 + place of this symbol in it; -1 for none */
    int32_t strongs, length;
    int32_t gaps;     /* symbols not heard between them, since the last whole period that went straight on */
    int32_t straight; /* runs up to here that followed on each other without a gap */
    int32_t places;   /* which of the word's four symbols were heard, one bit each */
    double shares;
};

struct words {
    int64_t symbols;
    const int16_t *words; /* (4, symbols, symbols): two symbols 1, 2 or 3 places apart as mark × 4 + place of the second, or -1 */
    const int16_t *marks; /* (marks, 4): their symbols */
};

enum { ALL, DUE, ENDED };

struct tracker {
    int64_t hop;             /* the next */
    int64_t seen, announced; /* hops at which the present mark was */
    int32_t present;         /* mark, or -1 */
    int32_t last_symbol, last_agrees;
    int32_t found; /* what the search stopped at: all hops are looked at; a sequence is to be confirmed; the present mark has ended */
    double wanted; /* how well the sequence has to correlate */
    double loudest; /* power of its runs */
    int64_t count;
    struct run runs[REMEMBERED]; /* the oldest first; the sequence is the last one's */
};

/* How many symbols apart two runs may be whose first windows lie so many hops apart: a slip moves them by two. */
static bool can_be_apart(int64_t hops, int symbols) {
    int64_t off = hops - SYMBOL_HOPS * symbols;
    return -2 <= off && off <= 2;
}

static bool is_better(int strongs, int length, int gaps, const struct run *than) {
    if (strongs != than->strongs)
        return strongs > than->strongs;
    return length != than->length ? length > than->length : gaps < than->gaps;
}

/* Let `run` continue the sequence of `before` if both can stand so far apart in one mark. */
static void link_runs(const struct words *words, struct run *run, const struct run *before, int64_t distance) {
    for (int apart = 1; apart < 4; apart++) {
        if (!can_be_apart(distance, apart))
            continue;
        int word = words->words[(apart * words->symbols + before->symbol) * words->symbols + run->symbol];
        if (word < 0)
            continue;
        int place_before = (word - apart) & 3;
        struct run sequence = *before;
        if (before->word != ((word & ~3) | place_before)) {
            sequence.strongs = before->strong, sequence.length = 1, sequence.gaps = 0, sequence.straight = 1;
            sequence.places = 1 << place_before, sequence.first = before->start, sequence.shares = before->share;
        }
        int strongs = sequence.strongs + run->strong, straight = apart == 1 ? sequence.straight + 1 : 1;
        int gaps = straight >= LONG ? 0 : sequence.gaps + apart - 1;
        if (!is_better(strongs, sequence.length + 1, gaps, run))
            continue;
        run->word = word, run->strongs = strongs, run->length = sequence.length + 1, run->gaps = gaps;
        run->straight = straight, run->places = sequence.places | 1 << (word & 3), run->first = sequence.first;
        run->shares = sequence.shares + run->share;
    }
}

/* A symbol begins in this window, or has now been heard in two windows running; gives its run. */
static struct run *changed(struct tracker *tracker, const struct words *words, int64_t hop, const struct hop *now) {
    int64_t start = now->agrees ? hop - 1 : hop;
    struct run *last = tracker->count ? &tracker->runs[tracker->count - 1] : NULL;
    if (now->agrees && last && last->start == start && last->symbol == now->symbol) {
        last->strong = 1;
        last->strongs++;
        /* The second window lies wholly inside the symbol, the first perhaps not. */
        last->power = now->power;
        last->shares += now->share - last->share;
        last->share = now->share;
        return last;
    }
    struct run run = {
        .start = start, .symbol = now->symbol, .strong = now->agrees, .share = now->share, .power = now->power,
        .first = start, .word = -1, .strongs = now->agrees, .length = 1, .straight = 1, .shares = now->share,
    };
    for (int64_t at = tracker->count; at-- > 0;) {
        const struct run *before = &tracker->runs[at];
        int64_t distance = start - before->start;
        /* A sequence of a whole period that goes straight on needs no other explanation. */
        if (distance > FARTHEST_HOPS || (run.length > LONG && !run.gaps))
            break;
        if (distance >= 2)
            link_runs(words, &run, before, distance);
    }
    if (tracker->count == REMEMBERED)
        memmove(tracker->runs, tracker->runs + 1, --tracker->count * sizeof run);
    tracker->runs[tracker->count] = run;
    return &tracker->runs[tracker->count++];
}

/* How well a sequence has to correlate to be believed: the less of it was heard, the better.
 *
 * Low-rate codecs keep tones but not their phases, so a whole period of symbols in order needs little more. Two symbols
 * and the beginning of a third are believed only when what was received is nearly the mark's own waveform. Two symbols
 * again and again, without a third, are what a broken channel makes of another mark.
 *
 * Chance leaves gaps: of pairs of tones in the marks' bands, 30 to 60 ms each, some three stand as far apart as a mark's do,
 * with another between them, and came up to 0.79 of its likeness in 15 hours of nothing but such pairs. Three that followed
 * each other at once were not among them, and it is those that loss and codecs of low rate spoil. */
static double wanted_quality(const struct run *run) {
    if (run->shares < MIN_SHARE * run->length || __builtin_popcount((unsigned)run->places) < 3)
        return NOT_YET;
    if (run->strongs >= 4 && run->gaps <= 1)
        return 0.30;
    if ((run->strongs >= 3 && run->gaps <= 2) || run->strongs >= 4)
        return run->gaps ? 0.82 : 0.70;
    if (run->strongs >= 2 && run->gaps <= 1)
        return run->gaps ? 0.88 : 0.80;
    return NOT_YET;
}

static bool has_symbol(const struct words *words, int mark, int symbol) {
    for (int place = 0; place < 4; place++)
        if (words->marks[4 * mark + place] == symbol)
            return true;
    return false;
}

/* Whether a symbol of another mark lies where the sequence has a gap.
 *
 * Loss leaves a gap empty or repeats what was before it. Where one mark follows another, symbols of both can stand as
 * far apart as those of a third mark do, with the rest of their own between them. */
static bool is_a_seam(const struct tracker *tracker, const struct words *words, const struct run *run) {
    if (!run->gaps)
        return false;
    for (const struct run *other = tracker->runs; other < tracker->runs + tracker->count; other++)
        if (other->strong && other->start > run->first && !has_symbol(words, run->word >> 2, other->symbol))
            return true;
    return false;
}

/* Whether the sequence that ends with `run` is to be asked for in what was received; then says how well it has to be there. */
static bool is_due(struct tracker *tracker, const struct words *words, int64_t hop, const struct run *run) {
    if (run->word < 0)
        return false;
    tracker->wanted = MIN_AGAIN;
    if (run->word >> 2 == tracker->present) {
        if (run->strong)
            tracker->seen = hop;
        return run->strong && hop - tracker->announced >= ANNOUNCE_HOPS;
    }
    tracker->wanted = wanted_quality(run);
    int64_t samples = hop * HOP + WINDOW - run->first * HOP;
    if (tracker->wanted >= NOT_YET || samples < FEWEST_SAMPLES || is_a_seam(tracker, words, run))
        return false;
    if (samples < MIN_SAMPLES)
        tracker->wanted = fmax(tracker->wanted, NEARLY_ALL);
    return true;
}

/* The loudest symbol's: the newest may only have begun. */
static double loudest(const struct tracker *tracker, const struct run *run) {
    double power = run->power;
    for (const struct run *other = tracker->runs; other < tracker->runs + tracker->count; other++)
        if (other->start >= run->first)
            power = fmax(power, other->power);
    return power;
}

static bool has_ended(const struct tracker *tracker) {
    return tracker->present >= 0 && tracker->hop - 1 - tracker->seen > HOLD_HOPS;
}

/* Follows so many hops, or as many as there are before something is to be said (`found`); gives how many. */
size_t track(struct tracker *tracker, const struct words *words, const struct hop *hops, size_t count) {
    for (size_t at = 0;; at++) {
        if (has_ended(tracker)) {
            tracker->found = ENDED;
            return at;
        }
        if (at == count)
            break;
        const struct hop *now = &hops[at];
        int64_t hop = tracker->hop++;
        bool is_new = now->agrees ? !tracker->last_agrees : now->symbol >= 0 && now->symbol != tracker->last_symbol;
        tracker->last_symbol = now->symbol;
        tracker->last_agrees = now->agrees;
        if (!is_new)
            continue;
        const struct run *run = changed(tracker, words, hop, now);
        if (is_due(tracker, words, hop, run)) {
            tracker->loudest = loudest(tracker, run);
            tracker->found = DUE;
            return at + 1;
        }
    }
    tracker->found = ALL;
    return count;
}

/* The sums of products of `received` and what begins at each of so many samples of `reference`. */
static void correlate(const float *reference, const float *received, size_t count, float sums[TOGETHER * LANES]) {
    vector each[TOGETHER] = {0};
    for (size_t at = 0; at < count; at++)
        for (int number = 0; number < TOGETHER; number++) {
            vector samples;
            memcpy(&samples, reference + at + number * LANES, sizeof samples);
            each[number] += received[at] * samples;
        }
    memcpy(sums, each, sizeof each);
}

/* Of the samples that count, where `counts` is not NULL. */
static double energy_of(const float *samples, const float *counts, size_t count) {
    vector each = {0};
    float sum = 0;
    size_t at = 0;
    for (; at + LANES <= count; at += LANES) {
        vector some, weights = {1, 1, 1, 1};
        memcpy(&some, samples + at, sizeof some);
        if (counts)
            memcpy(&weights, counts + at, sizeof weights);
        some *= weights;
        each += some * some;
    }
    for (; at < count; at++)
        sum += samples[at] * samples[at] * (counts ? counts[at] : 1);
    return (double)sum + each[0] + each[1] + each[2] + each[3];
}

/* The normalised correlation of `received`, which is 0 where `counts` is, with the waveform at its peak, and where that lies:
 * `offset` and up to `lags` samples more. `references` are three periods of the mark, and the same half a sample later: half
 * a sample off, the highest tone loses a third of its correlation. */
double likeness(const float *references, const float *received, const float *counts, size_t count, size_t offset, size_t lags,
                double *place) {
    float best = -INFINITY, sums[TOGETHER * LANES];
    const float *matched = references;
    for (int half = 0; half < 2; half++, references += 3 * PERIOD)
        for (size_t lag = 0; lag < lags; lag++) {
            if (lag % (TOGETHER * LANES) == 0)
                correlate(references + offset + lag, received, count, sums);
            float sum = sums[lag % (TOGETHER * LANES)];
            if (sum > best)
                best = sum, matched = references + offset + lag, *place = (double)(offset + lag) + half / 2.0;
        }
    double energy = energy_of(received, NULL, count) * energy_of(matched, counts, count);
    return energy > 0 ? best / sqrt(energy) : 0;
}

/* Samples before the first sound, in whole blocks: before the first with more than `quiet` of the loudest one's energy. */
size_t silence_before(const float *received, size_t count, size_t block, double quiet) {
    double most = 0;
    for (size_t at = 0; at + block <= count; at += block)
        most = fmax(most, energy_of(received + at, NULL, block));
    for (size_t at = 0; at + block <= count; at += block)
        if (energy_of(received + at, NULL, block) > quiet * most)
            return at;
    return 0;
}

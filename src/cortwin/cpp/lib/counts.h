// Counts from a table: binomial and Poisson numbers by the alias method of Walker 1977 (doi:10.1145/355744.355749), built
// as in Vose 1991 (doi:10.1109/32.92917), in 64-bit integers.
//
// Each count has a whole number of the 2^64 words, its probability times 2^64 rounded, and the table gives exactly those
// words to it. So the table's distribution is known to the last bit, and is compared with the formula's when it is built.
// Many numbers of few counts are drawn by inversion instead, with the same words: most are told by 16 bits of a word.
#ifndef CORTWIN_COUNTS_H
#define CORTWIN_COUNTS_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "stream.h"

namespace cortwin {

class Counts {
public:
    static constexpr double allowed = 1e-9;    // total variation between table and formula
    static constexpr double negligible = 1e-18;  // relative to the mode: counts less probable than that have no word
    double distance;                            // total variation, of what the table gives to what it was built from

    Counts() : distance(1), bits(0), first(0) {}

    // Numbers of independent events: n trials that succeed with the probability p.
    static Counts binomial(std::int64_t n, double p) {
        const double odds = p / (1 - p);
        return around(
            p >= 1 ? n : std::int64_t((n + 1) * p), [=](std::int64_t k) { return odds * double(n - k) / double(k + 1); },
            n);
    }

    static Counts poisson(double mean) {
        return around(std::int64_t(mean), [=](std::int64_t k) { return mean / double(k + 1); }, INT64_MAX);
    }

    std::int32_t draw(std::uint64_t word) const {
        if (bits == 0) return first;
        const std::uint64_t column = word >> (64 - bits);
        return first + std::int32_t((word << bits) < own[column] ? column : other[column]);
    }

    // The counts of some elements, in stretches of them.
    void draw(std::int32_t* into, std::size_t from, std::size_t count, Stream& stream) const {
        if (bits == 0)
            std::fill(into, into + count, first);
        else
            by_stretch(from, count, stream, [=](std::size_t place, std::size_t part, Generators& generators) {
                bounds.empty() ? by_words(into + place, part, generators) : by_bounds(into + place, part, generators);
            });
    }

    // The words that a count has, of 2^64; for tests. (A table of one count has all of them: no number of 64 bits.)
    std::int32_t lowest() const { return first; }
    std::vector<std::uint64_t> words() const {
        std::vector<std::uint64_t> found(own.size(), 0);
        const std::uint64_t whole = std::uint64_t(1) << (64 - bits);
        for (std::size_t c = 0; c < own.size(); c++) {
            const std::uint64_t kept = own[c] == UINT64_MAX ? whole : own[c] >> bits;
            found[c] += kept;
            found[other[c]] += whole - kept;
        }
        return found;
    }

private:
    int bits;
    std::int32_t first;
    // A column's words below `own` (shifted to the top of the word) are its own count's, the rest another one's.
    std::vector<std::uint64_t> own, other;
    // Of few counts, the first word of each but the lowest, in order, and the bounds that the first 16 bits of a word are
    // compared with: those of a first word, which tell nothing more when the word has the same, less 2^15.
    static const std::size_t few = 24;
    std::vector<std::uint64_t> begins;
    std::vector<std::int16_t> bounds;

    // Probabilities by the ratio of neighbours, outwards from the mode and relative to it.
    template <class Ratio>
    static Counts around(std::int64_t mode, Ratio following, std::int64_t most) {
        std::vector<double> above, below;
        double p = 1;
        for (std::int64_t k = mode; k < most && (p *= following(k)) > negligible; k++) above.push_back(p);
        p = 1;
        for (std::int64_t k = mode; k > 0 && (p /= following(k - 1)) > negligible; k--) below.push_back(p);
        std::vector<double> probabilities(below.rbegin(), below.rend());
        probabilities.push_back(1);
        probabilities.insert(probabilities.end(), above.begin(), above.end());
        return Counts(mode - std::int64_t(below.size()), probabilities);
    }

    Counts(std::int64_t lowest, std::vector<double> p) : distance(0), bits(0), first(std::int32_t(lowest)) {
        if (p.size() == 1) return;
        while ((std::size_t(1) << bits) < p.size()) bits++;
        double total = 0;
        for (double one : p) total += one;
        std::vector<std::uint64_t> words(std::size_t(1) << bits, 0);
        std::uint64_t given = 0;
        std::size_t largest = 0;
        for (std::size_t k = 0; k < p.size(); k++) {
            words[k] = std::uint64_t(std::ldexp(p[k] / total, 63)) << 1;
            given += words[k];
            if (p[k] > p[largest]) largest = k;
        }
        words[largest] += std::uint64_t(0) - given;  // what is left of 2^64
        for (std::size_t k = 0; k < p.size(); k++) distance += std::fabs(std::ldexp(double(words[k]), -64) - p[k] / total) / 2;
        if (!(distance < allowed)) {
            std::fprintf(stderr, "error: a table of counts is %g from its distribution\n", distance);
            std::exit(1);
        }
        cut(words);
        share(words);
    }

    static std::int16_t first_bits(std::uint64_t word) { return std::int16_t(std::int32_t(word >> 48) - (1 << 15)); }

    void cut(const std::vector<std::uint64_t>& words) {
        std::uint64_t begin = 0;
        for (std::size_t k = 0; k + 1 < words.size(); k++) {
            if (words[k] > UINT64_MAX - begin) break;  // it has the last word: those behind have none
            begins.push_back(begin += words[k]);
            // No word lies above the last bound: it is asked once whether one has the same bits.
            if (bounds.empty() || bounds.back() < INT16_MAX) bounds.push_back(first_bits(begin));
            if (bounds.size() > few) {
                begins.clear();
                bounds.clear();
                return;
            }
        }
    }

    // How many counts begin at this word or before, without the lowest.
    std::int16_t place(std::uint64_t word) const {
        return std::int16_t(std::upper_bound(begins.begin(), begins.end(), word) - begins.begin());
    }

    // Four counts from a word, sixteen at a time; one in thousands takes the rest of its bits from another word.
    void by_bounds(std::int32_t* into, std::size_t count, Generators& generators) const {
        typedef std::int16_t Lanes __attribute__((vector_size(32)));
        const std::size_t lanes = 16, vectors = STRETCH / lanes;
        std::uint64_t words[STRETCH / 4];
        generators.fill(words, STRETCH / 4);
        Lanes told[vectors], place_of[vectors] = {}, same[vectors] = {};
        std::memcpy(told, words, sizeof(told));
        for (const std::int16_t bound : bounds)
            for (std::size_t v = 0; v < vectors; v++) {
                place_of[v] -= told[v] > bound;
                same[v] |= told[v] == bound;
            }
        std::int16_t found[STRETCH];
        std::memcpy(found, place_of, sizeof(found));
        Lanes any = {};
        for (const Lanes& one : same) any |= one;
        std::uint64_t some[4];
        std::memcpy(some, &any, sizeof(some));
        if (some[0] | some[1] | some[2] | some[3]) {
            std::int16_t open[STRETCH], bits[STRETCH];
            std::memcpy(open, same, sizeof(open));
            std::memcpy(bits, told, sizeof(bits));
            Supply more(generators);
            for (std::size_t k = 0; k < STRETCH; k++)
                if (open[k]) found[k] = place((std::uint64_t(bits[k] + (1 << 15)) << 48) | (more.next() >> 16));
        }
        for (std::size_t k = 0; k < count; k++) into[k] = first + found[k];
    }

    // One count from a word, by its column.
    void by_words(std::int32_t* into, std::size_t count, Generators& generators) const {
        std::uint64_t words[STRETCH];
        generators.fill(words, count);
        const std::uint64_t* __restrict full = own.data();
        const std::uint64_t* __restrict rest = other.data();
        const int shift = bits;
        for (std::size_t k = 0; k < count; k++) {
            const std::uint64_t column = words[k] >> (64 - shift), below = full[column], beyond = rest[column];
            into[k] = first + std::int32_t((words[k] << shift) < below ? column : beyond);
        }
    }

    // Vose's pairing: a column that is not full takes the rest from one that overflows.
    void share(std::vector<std::uint64_t> words) {
        const std::uint64_t whole = std::uint64_t(1) << (64 - bits);
        own.resize(words.size());
        other.resize(words.size());
        std::vector<std::uint32_t> small, large;
        for (std::uint32_t k = 0; k < words.size(); k++) (words[k] < whole ? small : large).push_back(k);
        while (!small.empty()) {
            const std::uint32_t s = small.back(), l = large.back();
            small.pop_back();
            own[s] = words[s] << bits;
            other[s] = l;
            words[l] -= whole - words[s];
            if (words[l] < whole) {
                large.pop_back();
                small.push_back(l);
            }
        }
        for (std::uint32_t l : large) {  // exactly full
            own[l] = UINT64_MAX;
            other[l] = l;
        }
    }
};

// Poisson numbers whose mean is known only when they are drawn. A mean that many are drawn of gets a table; the others,
// and means whose table would be too large, are left to another sampler.
class PoissonCounts {
public:
    // The table of a mean that `count` numbers are drawn of now, null where there is none; for all threads the same.
    std::shared_ptr<const Counts> table(double mean, std::size_t count) {
        if (!(mean >= 0 && mean <= largest)) return nullptr;
        const std::lock_guard<std::mutex> lock(mutex);
        for (Known& one : known) {
            if (one.mean == mean) return wanted(one, count);
        }
        Known& one = known[oldest];
        oldest = (oldest + 1) % few;
        one = Known();
        one.mean = mean;
        return wanted(one, count);
    }

    template <class Otherwise>
    std::int32_t draw(double mean, Stream& stream, Otherwise otherwise) {
        const std::shared_ptr<const Counts> known = table(mean, 1);
        return known ? known->draw(stream.next()) : otherwise(mean);
    }

private:
    static const int few = 4;             // means at a time
    static const std::size_t many = 64;   // draws that pay for a table
    static constexpr double largest = 1e6;  // a mean whose table has 20,000 columns
    struct Known {
        double mean = -1;
        std::size_t drawn = 0;
        std::shared_ptr<const Counts> table;
    } known[few];
    int oldest = 0;
    std::mutex mutex;

    static std::shared_ptr<const Counts> wanted(Known& one, std::size_t count) {
        if (!one.table && (one.drawn += count) >= many) one.table = std::make_shared<Counts>(Counts::poisson(one.mean));
        return one.table;
    }
};

// The counts of some elements from a table, or one after the other by `otherwise(supply)` where there is none.
template <class Otherwise>
void poissons(const Counts* table, std::int32_t* into, std::size_t first, std::size_t count, Stream& stream,
              Otherwise otherwise) {
    if (table) return table->draw(into, first, count, stream);
    by_stretch(first, count, stream, [=](std::size_t place, std::size_t part, Generators& generators) {
        Supply supply(generators);
        for (std::size_t k = 0; k < part; k++) into[place + k] = otherwise(supply);
    });
}

}  // namespace cortwin

#endif

// Standard normal deviates by the ziggurat of Marsaglia & Tsang 2000 (doi:10.18637/jss.v005.i08), 256 strips, with layer
// and place from different bits as in Doornik 2005 (An improved ziggurat method to generate normal random samples).
#ifndef CORTWIN_NORMAL_H
#define CORTWIN_NORMAL_H

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "stream.h"

namespace cortwin {

// Strip i has the width edge[i]; the part of it that lies under the curve whatever the height is inside[i] of it.
struct Ziggurat {
    static const int strips = 256;
    double edge[strips + 1], inside[strips];
    Ziggurat() {
        // The last edge for which 256 strips of one area end at the top of the curve.
        const double r = 3.6541528853610088;
        const double area = r * std::exp(-0.5 * r * r) + std::sqrt(std::acos(-1.0) / 2) * std::erfc(r / std::sqrt(2.0));
        edge[0] = area / std::exp(-0.5 * r * r);  // the strip at the bottom, with the tail's area beyond r
        edge[1] = r;
        for (int i = 2; i < strips; i++) {
            const double before = edge[i - 1];
            edge[i] = std::sqrt(-2 * std::log(area / before + std::exp(-0.5 * before * before)));
        }
        edge[strips] = 0;
        for (int i = 0; i < strips; i++) inside[i] = edge[i + 1] / edge[i];
    }
};

inline const Ziggurat& ziggurat() {
    static const Ziggurat only;
    return only;
}

// One deviate from a word; more words are drawn for one in a hundred.
template <class Source> double normal(const Ziggurat& z, std::uint64_t word, Source& stream) {
    for (;; word = stream.next()) {
        const int i = word & (Ziggurat::strips - 1);
        const double u = double(std::int64_t(word) >> 10) / 9007199254740992.0;  // [-1, 1), the 8 bits of the strip are not in it
        const double x = u * z.edge[i];
        if (std::fabs(u) < z.inside[i]) return x;
        if (i == 0) {  // the tail, Marsaglia 1964
            const double r = z.edge[1];
            double beyond, y;
            do {
                beyond = -std::log(1 - stream.uniform()) / r;
                y = -std::log(1 - stream.uniform());
            } while (2 * y < beyond * beyond);
            return u < 0 ? -r - beyond : r + beyond;
        }
        const double upper = std::exp(-0.5 * (z.edge[i + 1] * z.edge[i + 1] - x * x));
        const double lower = std::exp(-0.5 * (z.edge[i] * z.edge[i] - x * x));
        if (lower + stream.uniform() * (upper - lower) < 1) return x;
    }
}

inline double normal(Stream& stream) { return normal(ziggurat(), stream.next(), stream); }

inline void normals(double* into, std::size_t first, std::size_t count, Stream& stream) {
    const Ziggurat& z = ziggurat();
    by_stretch(first, count, stream, [&](std::size_t place, std::size_t part, Generators& generators) {
        std::uint64_t words[STRETCH];
        generators.fill(words, part);
        Supply more(generators);
        for (std::size_t k = 0; k < part; k++) into[place + k] = normal(z, words[k], more);
    });
}

}  // namespace cortwin

#endif

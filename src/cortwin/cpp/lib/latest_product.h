#ifndef CORTWIN_LATEST_PRODUCT_H
#define CORTWIN_LATEST_PRODUCT_H

// Whether a product stands as it was last written: its sources are the same, and nothing else writes its weights or its
// sums while the network runs.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "cortwin/runs.h"

namespace cortwin {

// Whether the weights and the sums of a product are written by nothing else within a run: the main program knows.
template <int sum> inline bool& unwritten() {
    static bool known = false;
    return known;
}

template <typename real> class LatestProduct {
    std::vector<real> sources;
    int run = 0;

public:
    // Tell whether the product of these sources stands; if not, it is taken that it will be written now.
    bool stands(const real* x, std::size_t n, bool unwritten) {
        if (!unwritten) return false;
        // Bits are compared: zeros of both signs differ, a NaN is itself.
        if (run == runs_begun && sources.size() == n && !std::memcmp(sources.data(), x, n * sizeof(real))) return true;
        sources.assign(x, x + n);
        run = runs_begun;
        return false;
    }
};

}  // namespace cortwin

#endif

// Synapses of one Brian2 Synapses object, sorted by source: what delivery of spikes walks along.
//
// The synapses of source i are those from offsets[i] to offsets[i + 1]. Weights and other variables of synapses are
// Brian2's own dynamic arrays, in the same order. A population that stands for a part of another one (a subgroup) is
// numbered from its own zero.
#pragma once

#include <cstdint>
#include <vector>

namespace cortwin {

struct Rows {
    std::vector<std::int64_t> offsets;      // n_source + 1
    std::vector<std::int32_t> targets;      // n_synapses
    std::vector<std::uint8_t> delays;       // in steps; empty where all are the same, or where one is beyond 255
    std::vector<std::uint16_t> long_delays; // the same, where one is beyond 255

    std::int64_t size() const { return static_cast<std::int64_t>(targets.size()); }
};

} // namespace cortwin

// Synapses in rows, one row for each source, without an array of sources.
//
// The targets and the variables of the synapses lie in Brian2's arrays, in the order of the rows.
#ifndef CORTWIN_ROWS_H
#define CORTWIN_ROWS_H

#include <cstdint>
#include <vector>

namespace cortwin {

struct Rows {
    std::vector<std::int64_t> first;    // (source + 1): where the row of a source begins, and the last one ends
    std::vector<std::uint16_t> delays;  // (synapse): in steps; empty where all synapses have the delay of their pathway
};

}  // namespace cortwin

#endif

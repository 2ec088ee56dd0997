#ifndef CORTWIN_SPIKE_RING_H
#define CORTWIN_SPIKE_RING_H

// Spikes on their way: which sources' spikes arrive in how many steps, where all synapses of a pathway have one delay.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <vector>

namespace cortwin {

class SpikeRing {
    std::vector<std::vector<int32_t>> slots{1};  // slots[(now + k) % size]: what arrives k steps from now
    std::size_t now = 0, steps = 0;
    double dt = 0;

    // Put the spikes that are on their way where they arrive at the same time, when steps are of another length.
    void rescale(double factor) {
        std::vector<std::vector<int32_t>> before(slots.size());
        before.swap(slots);
        slots.assign(static_cast<std::size_t>(before.size() * factor) + 1, {});
        for (std::size_t k = 0; k < before.size(); k++) {
            auto& slot = slots[static_cast<std::size_t>(k * factor + 0.5)];
            const auto& spikes = before[(now + k) % before.size()];
            slot.insert(slot.end(), spikes.begin(), spikes.end());
        }
        now = 0;
    }

public:
    // Make room for a delay, rounded to steps as Brian2 rounds it. What is on its way from an earlier run stays.
    template <typename real> void prepare(const real* delays, std::size_t n, double step) {
        const real delay = n ? delays[0] : real(0);
        for (std::size_t k = 1; k < n; k++)
            if (delays[k] != delay) {
                std::cerr << "Error: a pathway that was compiled for one delay has several" << std::endl;
                std::exit(1);
            }
        if (dt != 0 && dt != step) rescale(dt / step);
        dt = step;
        steps = static_cast<std::size_t>(static_cast<int>(delay / step + 0.5));
        if (steps < slots.size()) return;
        std::vector<std::vector<int32_t>> longer(steps + 1);
        for (std::size_t k = 0; k < slots.size(); k++) longer[k].swap(slots[(now + k) % slots.size()]);
        slots.swap(longer);
        now = 0;
    }

    void advance() {
        slots[now].clear();
        now = (now + 1) % slots.size();
    }

    // Send the spikes of this step on their way, as far as they come from sources in [first, last).
    void push(const int32_t* spikes, int32_t n, int32_t first, int32_t last) {
        auto& slot = slots[(now + steps) % slots.size()];
        for (int32_t k = 0; k < n; k++)
            if (spikes[k] >= first && spikes[k] < last) slot.push_back(spikes[k]);
    }

    const std::vector<int32_t>& arriving() const { return slots[now]; }
};

// The ring of a pathway, by its number: the code that sends spikes and the code that delivers them are two files.
template <int pathway> inline SpikeRing& spike_ring() {
    static SpikeRing ring;
    return ring;
}

}  // namespace cortwin

#endif

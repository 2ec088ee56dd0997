// Synapses listed for the step in which a spike reaches them: Brian2's queue of synapses.
//
// `cortwin::Delivery` lists synapses only where it has no rows for them: spikes that were under way when a run began
// with other delays, and pathways whose rows would be cut into more slices than they have synapses.
#ifndef CORTWIN_PENDING_H
#define CORTWIN_PENDING_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cortwin {

class Pending {
public:
    Pending() : slots(1), now(0) {}

    // The synapses of the step that lies `steps` ahead, less than there are slots.
    std::vector<std::int32_t>& ahead(std::size_t steps)
    {
        const std::size_t slot = now + steps;
        return slots[slot < slots.size() ? slot : slot - slots.size()];
    }
    const std::vector<std::int32_t>& due() const { return slots[now]; }
    std::size_t size() const { return slots.size(); }

    void advance()
    {
        slots[now].clear();
        now = now + 1 < slots.size() ? now + 1 : 0;
    }

    // Make room for synapses that lie `steps` ahead.
    void reach(std::size_t steps)
    {
        if (steps < slots.size())
            return;
        from_the_start();
        slots.resize(steps + 1);
    }

    // Go over to time steps that are `ratio` times shorter, just as Brian2 does: of several old steps that fall into
    // one new step, the last is kept.
    void rescale(double ratio)
    {
        from_the_start();
        std::vector<std::vector<std::int32_t>> scaled(static_cast<int>(slots.size() * ratio) + 1);
        for (std::size_t step = 0; step < slots.size(); step++)
            scaled[static_cast<int>(step * ratio + 0.5)] = slots[step];
        slots.swap(scaled);
    }

private:
    std::vector<std::vector<std::int32_t>> slots;
    std::size_t now;

    void from_the_start()
    {
        std::rotate(slots.begin(), slots.begin() + now, slots.end());
        now = 0;
    }
};

}  // namespace cortwin

#endif

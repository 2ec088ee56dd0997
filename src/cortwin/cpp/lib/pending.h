// Events listed for the step in which they arrive: Brian2's queue of synapses.
//
// `cortwin::Delivery` lists synapses only where it has no slices for them: spikes that were under way when a run began
// with other delays, and pathways whose rows would be cut into more slices than they have synapses. In those, what a
// pathway's statements read at a synapse can be listed in its place, where nothing changes it while a spike is under
// way: synapses lie far from each other, events side by side.
#ifndef CORTWIN_PENDING_H
#define CORTWIN_PENDING_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace cortwin {

// Events of one step, each of as many 32-bit words: a synapse, or copies of its values.
class Events {
public:
    const std::int32_t* begin() const { return words.get(); }
    const std::int32_t* end() const { return words.get() + used; }
    bool empty() const { return used == 0; }
    void clear() { used = 0; }

    // Room for one more event, to be filled.
    std::int32_t* add(std::uint32_t size)
    {
        if (used + size > room)
            make_room(size);
        std::int32_t* const event = words.get() + used;
        used += size;
        return event;
    }

private:
    std::unique_ptr<std::int32_t[]> words;
    std::uint32_t used = 0, room = 0;

    void make_room(std::uint32_t size)
    {
        room = 2 * room + std::max<std::uint32_t>(size, 16);
        std::unique_ptr<std::int32_t[]> more(new std::int32_t[room]);
        std::copy(begin(), end(), more.get());
        words = std::move(more);
    }
};

class Pending {
public:
    Pending() : slots(1), now(0) {}

    // The events of the steps that lie ahead, by their number, less than there are slots.
    struct Ahead {
        Events* slots;
        std::size_t now, n;
        Events& operator[](std::size_t steps) const { return slots[now + steps < n ? now + steps : now + steps - n]; }
    };
    Ahead ahead() { return {slots.data(), now, slots.size()}; }
    const Events& due() const { return slots[now]; }
    std::size_t size() const { return slots.size(); }

    void advance()
    {
        slots[now].clear();
        now = now + 1 < slots.size() ? now + 1 : 0;
    }

    void clear()
    {
        for (Events& one : slots)
            one.clear();
    }

    // Make room for events that lie `steps` ahead.
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
        std::vector<Events> scaled(static_cast<int>(slots.size() * ratio) + 1);
        for (std::size_t step = 0; step < slots.size(); step++)
            scaled[static_cast<int>(step * ratio + 0.5)] = std::move(slots[step]);
        slots.swap(scaled);
    }

private:
    std::vector<Events> slots;
    std::size_t now;

    void from_the_start()
    {
        std::rotate(slots.begin(), slots.begin() + now, slots.end());
        now = 0;
    }
};

}  // namespace cortwin

#endif

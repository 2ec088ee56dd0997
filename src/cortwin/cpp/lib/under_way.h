// The spikes of the last steps, in one piece: which sources fired how many steps ago.
#ifndef CORTWIN_UNDER_WAY_H
#define CORTWIN_UNDER_WAY_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cortwin {

class UnderWay {
public:
    struct Sources {
        const std::int32_t *first, *last;
        const std::int32_t* begin() const { return first; }
        const std::int32_t* end() const { return last; }
    };

    // Remember spikes of now and of as many steps before as the longest delay has.
    explicit UnderWay(std::size_t longest = 0) : firsts(longest + 1, 0), now(longest) {}

    // A step begins.
    void leave()
    {
        now = now + 1 == firsts.size() ? 0 : now + 1;
        firsts[now] = end;
        remembered = std::min(remembered + 1, firsts.size());
    }

    // A spike leaves in this step.
    void add(std::int32_t source)
    {
        if (end == sources.size())
            make_room();
        sources[end++] = source;
    }

    // Steps whose spikes are remembered, this one included, and their spikes.
    std::int64_t steps() const { return remembered; }
    std::size_t spikes() const { return remembered > 0 ? end - firsts[slot(remembered - 1)] : 0; }

    // The sources of the spikes that left so many steps ago, fewer than are remembered.
    Sources left(std::size_t steps_ago) const
    {
        const std::int32_t* const all = sources.data();
        return {all + firsts[slot(steps_ago)], all + (steps_ago > 0 ? firsts[slot(steps_ago - 1)] : end)};
    }

private:
    std::vector<std::int32_t> sources;   // as they left; those that are forgotten lie before the first one's
    std::vector<std::uint32_t> firsts;   // (step, in a ring) where its spikes begin
    std::size_t now, remembered = 0;
    std::uint32_t end = 0;

    std::size_t slot(std::size_t steps_ago) const
    {
        return now >= steps_ago ? now - steps_ago : now + firsts.size() - steps_ago;
    }

    void make_room()
    {
        const std::uint32_t forgotten = end - spikes();
        if (forgotten <= sources.size() / 2) {
            sources.resize(2 * sources.size() + 16);
            return;
        }
        std::copy(sources.begin() + forgotten, sources.begin() + end, sources.begin());
        for (std::uint32_t& first : firsts)
            first -= std::min(first, forgotten);
        end -= forgotten;
    }
};

}  // namespace cortwin

#endif

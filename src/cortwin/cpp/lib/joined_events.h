// Events that several threads look for, each in its share of a group's elements.
//
// A thread writes down what it finds in the places that belong to its elements, which are enough. The one that ends last
// moves them together, so that they stand in order as if one thread had found them.
#ifndef CORTWIN_JOINED_EVENTS_H
#define CORTWIN_JOINED_EVENTS_H

#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cortwin/shares.h"

namespace cortwin {

class JoinedEvents {
public:
    JoinedEvents() : found(threads()) {}

    // The running thread has found `count` events, which stand from `events + begin` on; their number is to stand behind
    // the n places.
    void end(std::int32_t* events, int n, int begin, int count)
    {
        if (share.parts == 1) {
            events[n] = count;
            return;
        }
        found[share.part] = {begin, count};
        if (ended.fetch_add(1, std::memory_order_acq_rel) + 1 < share.parts)
            return;
        ended.store(0, std::memory_order_relaxed);
        int all = 0;
        for (const Found& own : found) {
            if (own.begin > all && own.count > 0)
                std::memmove(events + all, events + own.begin, own.count * sizeof(*events));
            all += own.count;
        }
        events[n] = all;
    }

private:
    struct alignas(64) Found {
        int begin, count;
    };
    std::vector<Found> found;  // (thread)
    std::atomic<int> ended{0};
};

}  // namespace cortwin

#endif

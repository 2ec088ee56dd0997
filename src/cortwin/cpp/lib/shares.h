// Whose elements are whose, when several threads go through the groups of a network.
//
// Around a border within a group a processor reads ahead what another one is to write, which costs both. Groups are given
// away whole where all threads have about as much then; else they lie in one line, of which each thread has a stretch, so
// that there is one border between two threads.
#ifndef CORTWIN_SHARES_H
#define CORTWIN_SHARES_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "cortwin/threads.h"

namespace cortwin {

const int TOGETHER = 64;    // elements that stay together, so that no cache line is written by two threads
const double UNEVEN = 1.1;  // the most work of a thread over the mean, where groups are given away whole

// Which part of the elements the running thread has, of how many.
struct Share {
    int part, parts;
};
inline thread_local Share share{0, 1};

// The elements begin .. end - 1.
struct Range {
    int begin, end;
};

// A share of n elements that lie in no line.
inline Range evenly(int n, Share of)
{
    const long blocks = (n + TOGETHER - 1) / TOGETHER;
    const auto border = [=](long part) { return static_cast<int>(std::min<long>(n, blocks * part / of.parts * TOGETHER)); };
    return {border(of.part), border(of.part + 1)};
}

class Group {
public:
    Group() {}
    // A group alone.
    explicit Group(int n) : n(n)
    {
        for (int part = 0; part < threads(); part++)
            ranges.push_back(evenly(n, {part, threads()}));
    }

    // A share of the group's elements: of as many as there are threads, or all of them.
    Range of(Share share) const { return share.parts == 1 ? Range{0, n} : borders()[share.part]; }

    // The group of a name. Code objects that go through its elements tell so before the program begins.
    static Group& named(const char* name, int n, int passes)
    {
        Group& one = all()[name];
        one.n = n;
        one.passes += passes;
        one.has_name = true;
        return one;
    }

private:
    int n = 0, passes = 0;
    bool has_name = false;
    std::vector<Range> ranges;  // (thread)

    static std::map<std::string, Group>& all()
    {
        static std::map<std::string, Group> them;
        return them;
    }

    const std::vector<Range>& borders() const
    {
        if (has_name) {
            static const bool all_are_divided = divide_all();
            static_cast<void>(all_are_divided);
        }
        return ranges;
    }

    static bool divide_all()
    {
        std::vector<Group*> groups;
        for (auto& [name, group] : all())
            groups.push_back(&group);
        if (!give_whole(groups))
            cut_line(groups);
        return true;
    }

    // Give each group to the thread that has least, the largest first; return whether all have about as much then.
    static bool give_whole(const std::vector<Group*>& groups)
    {
        std::vector<Group*> sorted = groups;
        std::stable_sort(sorted.begin(), sorted.end(), [](const Group* one, const Group* other) {
            return one->work() > other->work();
        });
        std::vector<double> load(threads(), 0);
        for (Group* group : sorted) {
            const int owner = std::min_element(load.begin(), load.end()) - load.begin();
            load[owner] += group->work();
            group->ranges.assign(threads(), Range{0, 0});
            group->ranges[owner] = {0, group->n};
        }
        const double all = std::accumulate(load.begin(), load.end(), 0.0);
        return *std::max_element(load.begin(), load.end()) * threads() <= UNEVEN * all;
    }

    // Put the groups in a line and give each thread a stretch of it, as long as those of the others.
    static void cut_line(const std::vector<Group*>& groups)
    {
        double line = 0, before = 0;
        for (const Group* group : groups)
            line += group->work();
        for (Group* group : groups) {
            const auto border = [=](int part) {
                const double place = (line * part / threads() - before) / std::max(group->passes, 1) / TOGETHER;
                return part == threads() ? group->n : std::clamp(int(std::lround(place)) * TOGETHER, 0, group->n);
            };
            for (int part = 0; part < threads(); part++)
                group->ranges[part] = {border(part), border(part + 1)};
            before += group->work();
        }
    }

    double work() const { return double(n) * std::max(passes, 1); }
};

// Where the events from an element on begin, among those of n elements, in ascending order, their number behind them.
inline const std::int32_t* events_from(const std::int32_t* events, int n, int element)
{
    return element == 0 ? events : std::lower_bound(events, events + events[n], element);
}

}  // namespace cortwin

#endif

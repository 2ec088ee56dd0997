// A segment of a step: code objects of one clock, called one after the other, or by several threads.
//
// What may happen at the same time is known when the program is generated (`cortwin.cpp.segments`). The code objects of
// a phase touch nothing that another one of them writes, or touch it element by element, each thread in its own share;
// the threads meet between two phases. Whether that takes less time than one thread alone is measured now and then:
// either way the numbers are the same.
#ifndef CORTWIN_SEGMENT_H
#define CORTWIN_SEGMENT_H

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "cortwin/runs.h"
#include "cortwin/shares.h"
#include "cortwin/threads.h"

namespace cortwin {

const int TIMED = 64;       // steps of one thread, and as many of all, after as many that warm them up
const int CHOSEN = 4096;    // steps from one comparison to the next
const int AT_ONCE = 4;      // comparisons at the beginning of a run, one after the other
const double KEPT = 0.75;   // weight of what was measured before, at each comparison
const double SHORT = 3e-6;  // seconds of a step of which the meetings of threads would take as much as they save

class Segment {
public:
    typedef void (*Function)();
    struct Call {
        Function function;
        int phase;
        std::int64_t elements;  // that one thread goes through; 0 where each thread has its share of them
    };

    Segment() {}
    explicit Segment(std::vector<Call> calls) : calls(std::move(calls)) {}

    void step()
    {
        // In the first step of a run what lasts is made ready: arrays are taken over, streams of numbers begin.
        if (threads() == 1 || run != runs_begun)
            begin();
        else if (several)
            compare();
        else
            alone();
    }

private:
    typedef std::chrono::steady_clock Clock;
    std::vector<Call> calls;
    std::vector<std::vector<std::vector<Function>>> phases;  // (phase, thread); a thread when only the first has work
    bool several = false, together_is_faster = false;
    int run = 0, turn = 0, comparisons = 0;
    Clock::time_point since;
    double seconds_alone = 0, seconds_together = 0;

    void alone() const
    {
        for (const Call& call : calls)
            call.function();
    }

    void together() const
    {
        for (const auto& phase : phases)
            if (phase.size() == 1)
                call(phase[0]);
            else
                in_parallel([&phase](int part) {
                    share = {part, threads()};
                    call(phase[part]);
                    share = {0, 1};
                });
    }

    static void call(const std::vector<Function>& functions)
    {
        for (const Function function : functions)
            function();
    }

    void begin()
    {
        alone();
        if (threads() == 1 || run == runs_begun)
            return;
        run = runs_begun;
        turn = comparisons = 0;
        seconds_alone = seconds_together = 0;
        distribute();
    }

    // Some steps by one thread, some by all, then on as the faster did. What lies in the cache of another core has to be
    // fetched, and threads wake up, before either is timed. Steps differ by how many neurons fire, so that comparisons
    // are added up.
    void compare()
    {
        const int quarter = turn % TIMED == 0 ? turn / TIMED : -1;
        if (quarter == 1 || quarter == 3)
            since = Clock::now();
        else if (quarter == 2) {
            seconds_alone = KEPT * seconds_alone + elapsed();
            if (elapsed() < SHORT * TIMED) {
                turn = 4 * TIMED;
                comparisons = AT_ONCE;
                together_is_faster = false;
            }
        }
        if (quarter == 0 || (quarter == 4 && !together_is_faster))
            team().release();
        if (turn == 2 * TIMED) {
            team().spread();
            for (Replicated* one : Replicated::all())
                one->replicate();
        }
        if (turn < 2 * TIMED || (turn >= 4 * TIMED && !together_is_faster))
            alone();
        else
            together();
        turn++;
        if (turn == 4 * TIMED) {
            seconds_together = KEPT * seconds_together + elapsed();
            together_is_faster = seconds_together < seconds_alone;
            comparisons++;
        }
        if (turn == (comparisons < AT_ONCE ? 4 * TIMED : CHOSEN))
            turn = 0;
    }

    double elapsed() const { return std::chrono::duration<double>(Clock::now() - since).count(); }

    // Give what one thread does to the thread that has least, the largest first.
    void distribute()
    {
        phases.clear();
        int last = -1;
        for (const Call& call : calls)
            last = std::max(last, call.phase);
        several = false;
        for (int phase = 0; phase <= last; phase++) {
            std::vector<std::size_t> whole;
            std::vector<int> thread(calls.size(), -1);
            bool shared = false;
            for (std::size_t k = 0; k < calls.size(); k++)
                if (calls[k].phase == phase) {
                    shared |= calls[k].elements == 0;
                    if (calls[k].elements > 0)
                        whole.push_back(k);
                }
            std::stable_sort(whole.begin(), whole.end(), [this](std::size_t one, std::size_t other) {
                return calls[one].elements > calls[other].elements;
            });
            std::vector<std::int64_t> load(threads(), 0);
            for (const std::size_t k : whole) {
                thread[k] = std::min_element(load.begin(), load.end()) - load.begin();
                load[thread[k]] += calls[k].elements;
            }
            const int busy = shared ? threads() : std::min<int>(threads(), whole.size());
            phases.emplace_back(busy > 1 ? threads() : 1);
            for (std::size_t k = 0; k < calls.size(); k++)
                for (std::size_t part = 0; part < phases.back().size(); part++)
                    if (calls[k].phase == phase && (calls[k].elements == 0 || thread[k] == static_cast<int>(part)))
                        phases.back()[part].push_back(calls[k].function);
            several |= busy > 1;
        }
    }
};

// The segment of a number, and a function that goes through it.
template <int number> inline Segment& segment()
{
    static Segment own;
    return own;
}
template <int number> inline void step() { segment<number>().step(); }

}  // namespace cortwin

#endif

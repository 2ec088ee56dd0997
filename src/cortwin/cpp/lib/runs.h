// How many runs have begun: what is taken over from Brian2's arrays at the beginning of a run is taken over when this
// number has changed. And when the last one began.
#ifndef CORTWIN_RUNS_H
#define CORTWIN_RUNS_H

#include <chrono>

namespace cortwin {

inline int runs_begun = 0;
typedef std::chrono::steady_clock::time_point Moment;
inline Moment run_begun;
inline double prepared = 0;  // seconds of the run in which its first step put synapses in order

inline double seconds_since(Moment begun)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

inline void begin_run()
{
    runs_begun++;
    prepared = 0;
}

// What the steps took, without what the first one prepared.
inline double seconds_of_run() { return seconds_since(run_begun) - prepared; }

}  // namespace cortwin

#endif

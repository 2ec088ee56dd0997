// How many runs have begun: what is taken over from Brian2's arrays at the beginning of a run is taken over when this
// number has changed. And when the last one began.
#ifndef CORTWIN_RUNS_H
#define CORTWIN_RUNS_H

#include <chrono>

namespace cortwin {

inline int runs_begun = 0;
inline std::chrono::steady_clock::time_point run_begun;

inline double seconds_of_run()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - run_begun).count();
}

}  // namespace cortwin

#endif

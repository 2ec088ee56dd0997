// How many runs have begun: what is taken over from Brian2's arrays at the beginning of a run is taken over when this
// number has changed.
#ifndef CORTWIN_RUNS_H
#define CORTWIN_RUNS_H

namespace cortwin {

inline int runs_begun = 0;

}  // namespace cortwin

#endif

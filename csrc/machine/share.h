// Work that parts evenly, on the threads of a call.
#pragma once

#include <cstdint>

#include "machine/threads.h"

namespace elman {

// Splits [0, count) into `parts` and runs f(begin, end) for each on a thread.
template <class F> void share(ThreadTeam& team, int parts, int64_t count, const F& f) {
  team.run(parts, [&](int i) { f(count * i / parts, count * (i + 1) / parts); });
}

// The threads worth calling for something that parts evenly: all, or one where calling takes longer than it
// saves.
int threads_for_product(double multiply_adds, int lanes, int threads, bool warm);
int threads_for_packing(double weights, int threads, bool warm);
int threads_for_exponentials(double count, int threads, bool warm);
int threads_for_streaming(double bytes, int threads, bool warm);  // memory read and written once

}  // namespace elman

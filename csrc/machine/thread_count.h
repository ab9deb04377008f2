// How many threads a call may use.
#pragma once

namespace elman {

constexpr int most_threads = 4096;

// What was set, else ELMAN_NUM_THREADS, else OMP_NUM_THREADS, else one for each core; but never more than
// there are processors, unless ELMAN_OVERSUBSCRIBE=1.
int num_threads();
void set_num_threads(int n);

}  // namespace elman

#include "layers/embedding.h"

#include "machine/share.h"

namespace elman {

template <class T> void run_add_rows(T* table, const int64_t* index, const T* rows, int64_t N, int64_t E) {
  ThreadTeam team(num_threads());
  const int threads = threads_for_packing(double(N) * E, team.size(), team.warm());
  // A row of the table belongs to one thread, so its sums are always in the same order.
  team.run(threads, [&](int i) {
    for (int64_t n = 0; n < N; ++n) {
      if (index[n] % threads != i) continue;
      T* to = table + index[n] * E;
      const T* from = rows + n * E;
      for (int64_t e = 0; e < E; ++e) to[e] += from[e];
    }
  });
}

template void run_add_rows(float*, const int64_t*, const float*, int64_t, int64_t);
template void run_add_rows(double*, const int64_t*, const double*, int64_t, int64_t);

}  // namespace elman

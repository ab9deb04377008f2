#include "layers/softmaxes.h"

#include "kernels/dispatch.h"
#include "machine/share.h"

namespace elman {

template <class T> void run_softmax(const T* x, T* p, int64_t N, int C) {
  const auto softmax = softmax_kernels<T>(current_isa()).softmax;
  ThreadTeam team(num_threads());
  share(team, threads_for_exponentials(double(N) * C, team.size(), team.warm()), N,
        [&](int64_t begin, int64_t end) {
          for (int64_t n = begin; C > 0 && n < end; ++n) softmax(x + n * C, C, T(1), T(0), p + n * C);
        });
}

template void run_softmax(const float*, float*, int64_t, int);
template void run_softmax(const double*, double*, int64_t, int);

}  // namespace elman

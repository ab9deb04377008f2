// The gradients of a cell's per-unit vectors: sums over all entries of what each step adds.
#pragma once

#include "recurrent/rows.h"
#include "simd/extent.h"
#include "simd/unroll.h"

namespace elman {
namespace {

// Sums over the steps of the job, the last step first. Each step is summed by itself, so the order does not
// depend on chunks, schedule or threads. The backward scan has been there before: the slots hold gradients.
template <class Cell, class T, int L>
void vector_gradients(const BackwardJob<T>& job, int group_begin, int group_end) {
  using V = Vec<T, L>;
  constexpr int N = Cell::vectors;
  const FlushDenormals flush;
  const Cell cell = make_cell<Cell>(job.program);
  for (int unit = group_begin * L; unit < group_end * L; unit += L) {
    const Extent extent{job.H - unit};
    V total[N];
    unroll<N>([&](auto k) ELMAN_INLINED { total[k] = extent.load_at<V>(job.d_vectors[k] + unit, 0); });
    for (int t = job.t_end - 1; t >= job.t_begin; --t) {
      V sum[N] = {};
      for (int segment = 0; segment < job.plan.alive_at(t); ++segment) {
        const auto entry = static_cast<std::ptrdiff_t>(job.plan.offset[t]) + segment;
        V da[Cell::slots], before[Cell::states], after[Cell::states], dv[N];
        unroll<Cell::slots>([&](auto i) ELMAN_INLINED {
          da[i] = extent.load_at<V>(job.slots + (entry * Cell::slots + i) * job.H + unit, 0);
        });
        unroll<Cell::states>([&](auto k) ELMAN_INLINED {
          before[k] = extent.load_at<V>(state_before(job, k, t, segment) + unit, 0);
          after[k] = extent.load_at<V>(state_after(job, k, t, segment) + unit, 0);
        });
        cell.vector_gradients(da, before, after, dv);
        unroll<N>([&](auto k) ELMAN_INLINED { sum[k] = sum[k] + dv[k]; });
      }
      unroll<N>([&](auto k) ELMAN_INLINED { total[k] = total[k] + sum[k]; });
    }
    unroll<N>([&](auto k) ELMAN_INLINED { extent.store_at(job.d_vectors[k] + unit, 0, total[k]); });
  }
}

}  // namespace
}  // namespace elman

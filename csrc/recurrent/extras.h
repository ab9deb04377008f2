// What the steps of a chunk add to the gradients of a cell's vectors and scalars.
//
// Of a vector each entry of the chunk's first steps has a sum of its own, one number for each unit, to which
// later steps of its segment add in turn, from the last to the first: so many steps that no sum has more than
// 128 terms, and that an elementwise cell, which takes some steps at once, has a sum for each of them. These
// are summed in the order of the sums of the biases. Of a scalar each entry has one number for each unit,
// which are summed from the first unit to the last. So nothing depends on schedule or threads.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/dispatch.h"
#include "machine/buffer.h"
#include "machine/threads.h"
#include "recurrent/schedule.h"

namespace elman {

template <class T> class Extras {
 public:
  Extras(const CellFacts& cell, const ProductKernels<T>& products, int H)
      : vectors_(cell.vector_count()),
        scalars_(cell.scalar_count()),
        least_steps_(cell.elementwise ? most_elementwise : 1),
        H_(H),
        products_(products) {
    if (vectors_) sums_ = zeros<T>(std::size_t(vectors_) * H);
  }

  bool any() const { return vectors_ + scalars_ > 0; }

  // Makes room for the steps of a job, which are a chunk.
  void begin(BackwardJob<T>& job) {
    constexpr int most_terms = 128;
    const int steps = job.t_end - job.t_begin;
    const int wanted = std::min(std::max(least_steps_, (steps + most_terms - 1) / most_terms), steps);
    const auto entries = [&](int t) { return job.plan.offset[t] - job.plan.offset[job.t_begin]; };
    job.d_begin = job.t_begin;
    job.vector_steps = std::max(1, wanted);
    rows_ = entries(job.t_begin + wanted);
    job.d_vectors = room(of_vectors_, rows_ * vectors_);
    if (job.d_vectors) std::memset(job.d_vectors, 0, std::size_t(rows_) * vectors_ * H_ * sizeof(T));
    job.d_scalars = room(of_scalars_, entries(job.t_end) * scalars_);
  }

  // threads(width): for a product with so many multiply-adds for each entry and unit.
  template <class Threads> void add_vectors(ThreadTeam& team, const Threads& threads_for) {
    if (!vectors_) return;
    OuterJob<T> job;  // without sides: only the sums of the columns
    job.rows = static_cast<int>(rows_);
    job.M = vectors_ * H_;
    job.a = of_vectors_.data();
    job.a_stride = job.M;
    job.bias = sums_.data();
    const int threads = threads_for(vectors_);
    const std::size_t each = products_.outer_scratch(rows_, job.M, 0);
    const Buffer<T> scratch(each * threads);
    team.run(threads, [&](int i) { products_.outer(job, i, threads, scratch.data() + each * i); });
  }

  // Of the entries [first, last): dscalars [rows, scalars] += the sums over units.
  void add_scalars(const PlanView& plan, int64_t first, int64_t last, T* dscalars) const {
    const T* from = of_scalars_.data();
    for (int64_t n = first; n < last; ++n) {
      T* const to = dscalars + std::ptrdiff_t{plan.index[n]} * scalars_;
      for (int k = 0; k < scalars_; ++k, from += H_) {
        T sum = 0;
        for (int u = 0; u < H_; ++u) sum += from[u];
        to[k] += sum;
      }
    }
  }

  // Adds the sums to the gradients of the vectors.
  void finish(T* const (&to)[max_vectors]) const {
    for (int k = 0; k < vectors_; ++k)
      for (int u = 0; u < H_; ++u) to[k][u] += sums_.data()[std::ptrdiff_t{k} * H_ + u];
  }

 private:
  T* room(Buffer<T>& numbers, int64_t rows) const {
    const std::size_t size = std::size_t(rows) * H_;
    if (numbers.size() < size) numbers = Buffer<T>(size);
    return numbers.data();
  }

  const int vectors_, scalars_, least_steps_, H_;
  const ProductKernels<T>& products_;
  int64_t rows_ = 0;  // of the sums of the chunk
  Buffer<T> of_vectors_, of_scalars_, sums_;
};

}  // namespace elman

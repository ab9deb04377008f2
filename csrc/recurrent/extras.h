// What the steps of a chunk add to the gradients of a cell's vectors and scalars: one number for each entry,
// unit and vector or scalar. The sums over entries run in the order of those of the biases, the sums over
// units from the first unit to the last; so neither depends on schedule or threads.
#pragma once

#include <vector>

#include "kernels/dispatch.h"
#include "machine/buffer.h"
#include "machine/threads.h"

namespace elman {

template <class T> class Extras {
 public:
  Extras(const CellFacts& cell, const ProductKernels<T>& products, int H)
      : vectors_(cell.vector_count()), scalars_(cell.scalar_count()), H_(H), products_(products) {
    if (vectors_) sums_ = zeros<T>(std::size_t(vectors_) * H);
  }

  int count() const { return vectors_ + scalars_; }
  T* data() { return numbers_.data(); }  // [entries, vectors + scalars, H]

  // Makes room for a chunk.
  void begin(int64_t entries) {
    const std::size_t size = std::size_t(entries) * count() * H_;
    if (numbers_.size() < size) numbers_ = Buffer<T>(size);
  }

  void add_vectors(int64_t entries, int threads, ThreadTeam& team) {
    if (!vectors_) return;
    OuterJob<T> job;  // without sides: only the sums of the columns
    job.rows = static_cast<int>(entries);
    job.M = vectors_ * H_;
    job.a = numbers_.data();
    job.a_stride = std::ptrdiff_t{count()} * H_;
    job.bias = sums_.data();
    const std::size_t each = products_.outer_scratch(entries, job.M, 0);
    const Buffer<T> scratch(each * threads);
    team.run(threads, [&](int i) { products_.outer(job, i, threads, scratch.data() + each * i); });
  }

  // Of the entries [first, last): dscalars [rows, scalars] += the sums over units.
  void add_scalars(const PlanView& plan, int64_t first, int64_t last, T* dscalars) const {
    for (int64_t n = first; n < last; ++n) {
      const T* from = numbers_.data() + ((n - first) * count() + vectors_) * H_;
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
  const int vectors_, scalars_, H_;
  const ProductKernels<T>& products_;
  Buffer<T> numbers_, sums_;
};

}  // namespace elman

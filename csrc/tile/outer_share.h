// How threads share an outer job: each takes some columns of `a` and some groups of columns of every b. No
// sum is parted, so no bit depends on it.
#pragma once

#include <cstdint>

#include "kernels/products.h"

namespace elman {
namespace {

struct Range {
  int begin, end;
};

// The threads as a grid: `across` parts of a's columns, `along` parts of the b's.
struct OuterGrid {
  int across, along;
};

// A thread packs its columns of b and copies those of a, and multiplies each of these by each of those. With
// two threads the packing is a small part of this. With 64 it is half, if each packs all of b: then it takes
// less of b and more of a. `widest`: groups of columns of the widest b. `N`: columns of all of them.
[[maybe_unused]] OuterGrid outer_grid(int M, int N, int widest, int parts) {
  constexpr double packing = 5;  // of a column, in multiply-adds of it
  constexpr int least_groups = 4;
  constexpr double worth = 0.97;
  OuterGrid best{parts, 1};
  double best_cost = 0;
  for (int along = 1; along <= parts && (along == 1 || along * least_groups <= widest); ++along) {
    const int across = parts / along;
    const double m = (M + across - 1) / across, n = double(N) / along, cost = m * n + packing * (m + n);
    if (along > 1 && cost >= best_cost * worth) continue;
    best = {across, along};
    best_cost = cost;
  }
  return best;
}

// Column ranges of `a` and, for each, how many columns of all b's it is multiplied by: cut so that each of
// `parts` has as much to multiply.
template <int count> class ColumnShares {
 public:
  // `cuts`: where the ranges begin, and the end of the last. `widths`: by how many columns.
  ColumnShares(const int (&cuts)[count + 1], const int (&widths)[count]) : cuts_(cuts), widths_(widths) {
    for (int i = 0; i < count; ++i) all_ += work(i);
  }

  // ranges[i]: the columns of the i-th range that belong to one part.
  void of(int part, int parts, Range* ranges) const {
    int64_t begin = all_ * part / parts, end = all_ * (part + 1) / parts;
    for (int i = 0; i < count; ++i) {
      ranges[i] = {column(i, begin), column(i, end)};
      begin -= work(i);
      end -= work(i);
    }
  }

 private:
  int64_t width(int i) const { return widths_[i] > 0 ? widths_[i] : 1; }
  int64_t work(int i) const { return (cuts_[i + 1] - cuts_[i]) * width(i); }
  // The column of the i-th range that lies after so much work.
  int column(int i, int64_t done) const {
    if (done <= 0) return cuts_[i];
    return done >= work(i) ? cuts_[i + 1] : cuts_[i] + static_cast<int>(done / width(i));
  }

  const int (&cuts_)[count + 1];
  const int (&widths_)[count];
  int64_t all_ = 0;
};

}  // namespace
}  // namespace elman

// Heads: H / K parts of a layer's units. A unit's recurrent products read the units of its own head alone, so
// that weights are [gates * H, K]. Packed ones lie as those of one head do, with K in the place of H; but a
// group of L units may lie in several heads, and has then the weights of each, with zeros for other units.
#pragma once

#include <algorithm>
#include <cstddef>

namespace elman {

struct Heads {
  int H, K, L;

  int first(int group) const { return group * L / K; }
  int count(int group) const { return (std::min(group * L + L, H) - 1) / K + 1 - first(group); }
  // Of any group, at most.
  int most() const {
    const int any = K % L == 0 ? 1 : L % K == 0 ? L / K : (L + K - 2) / K + 1;
    return std::min(any, H / K);
  }
  // Numbers from the weights of a column, or of `slots` columns together, to those of the next group's.
  std::ptrdiff_t apart(int slots = 1) const { return std::ptrdiff_t{most()} * slots * K * L; }

  // f(group, groups) for the parts of [begin, end) that lie in the same heads.
  template <class F> void each_alike(int begin, int end, const F& f) const {
    if (K == H && begin < end) return f(begin, end - begin);
    for (int last; begin < end; begin = last) {
      last = begin + 1;
      while (last < end && first(last) == first(begin) && count(last) == count(begin)) ++last;
      f(begin, last - begin);
    }
  }
};

}  // namespace elman

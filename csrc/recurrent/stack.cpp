#include "recurrent/stack.h"

#include <algorithm>

#include "kernels/heads.h"
#include "machine/share.h"

namespace elman {
namespace {

template <class T>
Buffer<char> pack_forward(const PackedStack<T>& stack, const Weights<T>& weights, ThreadTeam& team) {
  Buffer<char> packed(stack.kernels().packed_bytes(weights.I, weights.H, weights.heads));
  const int threads = threads_for_packing(packed.size() / sizeof(T), team.size(), team.warm());
  share(team, threads, groups_of<T>(stack.isa, stack.H), [&](int64_t begin, int64_t end) {
    stack.kernels().pack(weights, packed.data(), static_cast<int>(begin), static_cast<int>(end));
  });
  return packed;
}

template <class T>
Buffer<T> pack_product(const ProductKernels<T>& p, const std::vector<const T*>& rows, int width,
                       ThreadTeam& team) {
  const int groups = (width + p.lanes - 1) / p.lanes;
  Buffer<T> packed(std::size_t(groups) * rows.size() * p.lanes);
  share(team, threads_for_packing(packed.size(), team.size(), team.warm()), groups,
        [&](int64_t begin, int64_t end) {
          p.pack(rows.data(), static_cast<int>(rows.size()), width, packed.data(), static_cast<int>(begin),
                 static_cast<int>(end));
        });
  return packed;
}

// The weights of a stage as multiply_heads reads them: [groups][heads][slots][K][L].
template <class T>
Buffer<T> pack_heads_back(const Heads& heads, const Feed& feed, const T* hh, ThreadTeam& team) {
  const int groups = (heads.H + heads.L - 1) / heads.L, S = feed.count();
  Buffer<T> packed(std::size_t(groups) * heads.apart(S));
  share(team, threads_for_packing(packed.size(), team.size(), team.warm()), groups,
        [&](int64_t begin, int64_t end) {
          for (int group = static_cast<int>(begin); group < end; ++group) {
            T* to = packed.data() + group * heads.apart(S);
            for (int head = heads.first(group); head < heads.first(group) + heads.count(group); ++head) {
              const int unit = group * heads.L, first = head * heads.K;
              const int from = std::max(unit, first), last = std::min(unit + heads.L, first + heads.K);
              for (int s = 0; s < S; ++s)
                for (int k = 0; k < heads.K; ++k, to += heads.L) {
                  const T* row = hh + (std::ptrdiff_t{feed.gate[s]} * heads.H + first + k) * heads.K;
                  std::fill_n(to, heads.L, T{0});
                  std::copy(row + from - first, row + last - first, to + from - unit);
                }
            }
          }
        });
  return packed;
}

}  // namespace

template <class T>
PackedStack<T>::PackedStack(const Stack& stack, const std::vector<Weights<T>>& weights) : Stack(stack) {
  ThreadTeam team(num_threads());
  packed.reserve(weights.size());
  for (const Weights<T>& one : weights) packed.push_back(pack_forward(*this, one, team));
}

template <class T>
PackedBackStack<T>::PackedBackStack(const Stack& stack, const std::vector<Weights<T>>& weights)
    : Stack(stack) {
  const ProductKernels<T>& p = product_kernels<T>(isa);
  ThreadTeam team(num_threads());
  packed.reserve(weights.size());
  for (const Weights<T>& w : weights) {
    Part& part = packed.emplace_back();
    part.ih = pack_product(p, slot_rows<const T*>(facts().x, w.ih, H, w.I), w.I, team);
    for (int j = 0; j < facts().stage_count(); ++j)
      part.hh[j] = heads > 1 ? pack_heads_back<T>({H, head(), p.lanes}, facts().stage(j), w.hh, team)
                             : pack_product(p, slot_rows<const T*>(facts().stage(j), w.hh, H, H), H, team);
    const std::size_t width = std::size_t(groups_of<T>(isa, H)) * p.lanes;
    part.vectors = zeros<T>(facts().vector_count() * width);
    for (int k = 0; k < facts().vector_count(); ++k)
      std::copy_n(w.vectors[k], H, part.vectors.data() + k * width);
  }
}

template struct PackedStack<float>;
template struct PackedStack<double>;
template struct PackedBackStack<float>;
template struct PackedBackStack<double>;

}  // namespace elman

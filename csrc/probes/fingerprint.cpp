#include "probes/fingerprint.h"

#include <algorithm>

#include "kernels/dispatch.h"
#include "machine/share.h"
#include "probes/fingerprint_kernel.h"

namespace elman {
namespace {

// Threads take whole pieces of this many bytes. Each piece has its own fingerprint.
constexpr int64_t piece_bytes = 32768;

}  // namespace

uint64_t run_fingerprint(const std::vector<Bytes>& arrays) {
  std::vector<Bytes> pieces;
  int64_t bytes = 0;
  for (const Bytes& array : arrays) {
    bytes += array.size;
    for (int64_t at = 0; at < array.size; at += piece_bytes)
      pieces.push_back({array.data + at, std::min(piece_bytes, array.size - at)});
  }
  std::vector<uint64_t> found(pieces.size());
  const auto one = current_isa().probes.fingerprint;
  ThreadTeam team(num_threads());
  const int threads = threads_for_streaming(double(bytes), team.size(), team.warm());
  share(team, threads, static_cast<int64_t>(pieces.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) found[i] = one(pieces[i].data, pieces[i].size);
  });
  uint64_t whole = arrays.size();
  for (const uint64_t piece : found) whole = mix(whole, piece);
  return whole;
}

}  // namespace elman

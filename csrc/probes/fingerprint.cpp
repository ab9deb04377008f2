#include "probes/fingerprint.h"

#include <algorithm>

#include "kernels/dispatch.h"
#include "machine/share.h"
#include "probes/fingerprint_kernel.h"

namespace elman {
namespace {

// Threads take whole slices of this many bytes. Each slice has its own fingerprint.
constexpr int64_t slice_bytes = 32768;

}  // namespace

uint64_t run_fingerprint(const std::vector<Bytes>& arrays) {
  std::vector<Bytes> slices;
  int64_t bytes = 0;
  for (const Bytes& array : arrays) {
    bytes += array.size;
    for (int64_t at = 0; at < array.size; at += slice_bytes)
      slices.push_back({array.data + at, std::min(slice_bytes, array.size - at)});
  }
  std::vector<uint64_t> found(slices.size());
  const auto one = current_isa().probes.fingerprint;
  ThreadTeam team(num_threads());
  const int threads = threads_for_streaming(double(bytes), team.size(), team.warm());
  share(team, threads, static_cast<int64_t>(slices.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) found[i] = one(slices[i].data, slices[i].size);
  });
  uint64_t whole = arrays.size();
  for (const uint64_t slice : found) whole = mix(whole, slice);
  return whole;
}

}  // namespace elman

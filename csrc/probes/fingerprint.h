// 64 bits that tell whether arrays still hold what they held.
#pragma once

#include <cstdint>
#include <vector>

namespace elman {

struct Bytes {
  const char* data = nullptr;
  int64_t size = 0;
};

// Of all bytes of all arrays, in their order. The same for the same bytes on one instruction set, whatever
// the number of threads.
uint64_t run_fingerprint(const std::vector<Bytes>& arrays);

}  // namespace elman

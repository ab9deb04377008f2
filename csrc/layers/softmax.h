// Softmax of many rows.
#pragma once

#include <cstdint>

namespace elman {

// p [N, C] = softmax of x [N, C]; they may be one.
template <class T> void run_softmax(const T* x, T* p, int64_t N, int C);

}  // namespace elman

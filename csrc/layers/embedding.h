// The gradient of an embedding's table.
#pragma once

#include <cstdint>

namespace elman {

// table [V, E] += rows [N, E] at the indices [N], each 0 to V - 1; rows of equal index are added in their
// order.
template <class T> void run_add_rows(T* table, const int64_t* index, const T* rows, int64_t N, int64_t E);

}  // namespace elman

// Connectionist temporal classification: the likelihood of labels whose places in the sequence are unknown.
#pragma once

#include <cstdint>

namespace elman {

template <class T> struct Ctc {
  int T_max = 0, B = 0, C = 0, S_max = 0;
  const T* logits = nullptr;                // [T_max, B, C]
  const int64_t* lengths = nullptr;         // [B], 0 to T_max
  const int64_t* target = nullptr;          // [B, S_max], 0 to C - 1 as far as they count
  const int64_t* target_lengths = nullptr;  // [B], 0 to S_max
  int blank = 0;
  bool zero_infinity = false;     // a target that cannot fit counts as 0, not as infinity
  double* losses = nullptr;       // [B]: -log P(target | logits)
  const double* scale = nullptr;  // [B], of the gradient; read only with d_logits
  T* d_logits = nullptr;          // [T_max, B, C] or null
};

// Where a target cannot fit its sequence, the loss is infinite and the gradient NaN (zero_infinity: both 0).
template <class T> void run_ctc(const Ctc<T>& call);

}  // namespace elman

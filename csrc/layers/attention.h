// Dot-product attention (Luong et al. 2015) over a memory whose rows are keys and values at once. With M the
// memory of one sequence [keys, H] and q its queries [queries, H]:
//   w = softmax(scale q M^T),  context = w M,
//   dw = dcontext M^T,  ds = scale w (dw - sum of w dw),  dq = ds M,  dM = w^T dcontext + ds^T q.
// Forward and back, M^T comes first, then the softmax, then M: the same packed M serves both.
#pragma once

#include <vector>

#include "kernels/dispatch.h"
#include "machine/buffer.h"

namespace elman {

template <class T> struct PackedMemory {
  // memory [steps, B, H]; lengths [B], or null where all sequences have all steps.
  PackedMemory(const Isa& isa, int steps, int B, int H, T scale, const T* memory, const int64_t* lengths);

  struct Sequence {
    int keys;
    int64_t first;             // keys of the sequences before it
    T *transposed, *straight;  // M^T and M, packed
  };
  const Isa& isa;
  const int steps, B, H;
  const T scale;
  std::vector<Sequence> sequences;
  int longest = 0;    // keys of the longest sequence
  int64_t total = 0;  // keys of all

 private:
  Buffer<T> data_;
};

// The queries of a call. Those beyond a sequence's length are not read. Their context, weights and gradient
// are 0, and so are those of a sequence without keys.
template <class T> struct Queries {
  int steps = 0;
  const T* data = nullptr;           // [steps, B, H]
  const int64_t* lengths = nullptr;  // [B], or null where all sequences have all steps
};

// context [queries, B, H], and unless null weights [queries, B, keys].
template <class T>
void run_attention(const PackedMemory<T>& memory, const Queries<T>& queries, T* weights, T* context);

template <class T> struct AttentionBackward {
  const T *weights = nullptr, *d_context = nullptr;
  T *d_query = nullptr, *d_memory = nullptr;  // written, not added to
};
template <class T>
void run_attention_backward(const PackedMemory<T>& memory, const Queries<T>& queries,
                            const AttentionBackward<T>& call);

}  // namespace elman

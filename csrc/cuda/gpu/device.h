// What the kernels ask of the GPU, each in one place. tests/cuda/device.h has the same names and runs kernels
// on a CPU, so that everything but this file is tested without a GPU.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

#include "cuda/element.h"

#define ELMAN_DEVICE __device__ __forceinline__
#define ELMAN_HOST_DEVICE __host__ __device__ __forceinline__
#define ELMAN_KERNEL __global__
#define ELMAN_PARAMETER const __grid_constant__
#define ELMAN_LAUNCH_BOUNDS(threads) __launch_bounds__(threads, 1)
#define ELMAN_NO_UNROLL _Pragma("unroll 1")
#define ELMAN_UNROLL _Pragma("unroll")
#define ELMAN_TEXT(words) #words
#define ELMAN_UNROLL_BY(count) _Pragma(ELMAN_TEXT(unroll count))

namespace elman::cuda {

ELMAN_DEVICE float to_float(float x) { return x; }
ELMAN_DEVICE float to_float(Tf32 x) { return x.value; }
ELMAN_DEVICE float to_float(Half x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
ELMAN_DEVICE float to_float(Bfloat16 x) { return __uint_as_float(uint32_t{x.bits} << 16); }

template <class T> ELMAN_DEVICE T from_float(float x);
template <> ELMAN_DEVICE float from_float(float x) { return x; }
template <> ELMAN_DEVICE Tf32 from_float(float x) { return {x}; }
template <> ELMAN_DEVICE Half from_float(float x) {
  Half y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
template <> ELMAN_DEVICE Bfloat16 from_float(float x) {
  Bfloat16 y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}

ELMAN_DEVICE float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
ELMAN_DEVICE float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// Two 16-bit values in a word, the first in its lower half, in one instruction.
template <class T> ELMAN_DEVICE uint32_t pack(float x, float y);
template <> ELMAN_DEVICE uint32_t pack<Half>(float x, float y) {
  uint32_t bits;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(y), "f"(x));
  return bits;
}
template <> ELMAN_DEVICE uint32_t pack<Bfloat16>(float x, float y) {
  uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(y), "f"(x));
  return bits;
}

ELMAN_DEVICE int thread_index() { return threadIdx.x; }
ELMAN_DEVICE int threads() { return blockDim.x; }
ELMAN_DEVICE int block_index() { return blockIdx.x; }

ELMAN_DEVICE char* shared_memory() {
  extern __shared__ uint4 bytes[];
  return reinterpret_cast<char*>(bytes);
}

ELMAN_DEVICE void block_sync() { __syncthreads(); }
ELMAN_DEVICE void warp_sync() { __syncwarp(); }

// All threads of the cluster; what they stored in each other's shared memory before is there after.
ELMAN_DEVICE void cluster_sync() {
#if __CUDA_ARCH__ >= 900
  __syncwarp();  // .aligned wants the warp together
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
#else
  __trap();
#endif
}

// A value as words of 4 bytes.
template <class V> struct Split {
  static constexpr int count = sizeof(V) / 4;
  static_assert(count == 1 || count == 2 || count == 4);
  uint32_t v[count];
  ELMAN_DEVICE explicit Split(const V& value) { memcpy(v, &value, sizeof(V)); }
};

// Of an address in this block's shared memory, the same place in that of the cluster's block `rank`.
// Only where there are clusters, as all that follows about peers.
ELMAN_DEVICE uint32_t address_at_peer(void* own, int rank) {
  uint32_t address = 0;
#if __CUDA_ARCH__ >= 900
  asm("mapa.shared::cluster.u32 %0, %1, %2;"
      : "=r"(address)
      : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(own))), "r"(rank));
#else
  __trap();
#endif
  return address;
}

// Two barriers in this block's shared memory, each of which counts bytes that arrive. Peers may push when the
// cluster has met after this.
ELMAN_DEVICE void init_arrivals(uint64_t* barriers) {
#if __CUDA_ARCH__ >= 900
  if (threadIdx.x == 0)
    for (int i = 0; i < 2; ++i)
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(
                       static_cast<uint32_t>(__cvta_generic_to_shared(barriers + i)))
                   : "memory");
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#else
  __trap();
#endif
}

// By one thread, once for each phase: how many bytes are to arrive in it.
ELMAN_DEVICE void expect_arrivals(uint64_t* barrier, int bytes) {
#if __CUDA_ARCH__ >= 900
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(barrier))),
               "r"(bytes)
               : "memory");
#endif
}

// Until the barrier's phase of this parity is over; what has arrived is there after.
// What was pushed lies in this block's own memory, so that the block's scope will do: with the cluster's the
// whole L1 cache was emptied at every step (CCTL.IVALL in the code).
ELMAN_DEVICE void wait_for_arrivals(uint64_t* barrier, int parity) {
#if __CUDA_ARCH__ >= 900
  const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(barrier));
  uint32_t over;
  do
    asm volatile(
        "{\n.reg .pred p;\n"
        "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n}"
        : "=r"(over)
        : "r"(address), "r"(parity)
        : "memory");
  while (!over);
#endif
}

// *p = value in the peer's memory. The peer's barrier at the same place as `barrier` counts the bytes when
// they are there.
template <class V> ELMAN_DEVICE void push_to_peer(V* p, int rank, V value, uint64_t* barrier) {
#if __CUDA_ARCH__ >= 900
  const uint32_t to = address_at_peer(p, rank);
  const auto skip = reinterpret_cast<char*>(barrier) - reinterpret_cast<char*>(p);
  const uint32_t counts = to + static_cast<uint32_t>(skip);  // a block's memory lies in one piece
  const Split<V> w(value);
  if constexpr (w.count == 1)
    asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];" ::"r"(to),
                 "r"(w.v[0]), "r"(counts)
                 : "memory");
  else if constexpr (w.count == 2)
    asm volatile(
        "st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%0], {%1, %2}, [%3];" ::"r"(to),
        "r"(w.v[0]), "r"(w.v[1]), "r"(counts)
        : "memory");
  else
    asm volatile(
        "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(
            to),
        "r"(w.v[0]), "r"(w.v[1]), "r"(w.v[2]), "r"(w.v[3]), "r"(counts)
        : "memory");
#endif
}

// A word of global memory: four bytes and a number above 0 that says which they are, read and written as one.
struct Words {  // two, of which somebody waits
  uint64_t w[2];
};
struct alignas(8) Bytes {  // theirs
  uint32_t v[2];
};

// The value in words of the number `tag`.
template <class V> ELMAN_DEVICE void post(uint64_t* to, V value, uint32_t tag) {
  const Split<V> w(value);
  const uint64_t high = uint64_t{tag} << 32;
  if constexpr (w.count == 1) {
    asm volatile("st.relaxed.gpu.global.b64 [%0], %1;" ::"l"(to), "l"(high | w.v[0]) : "memory");
  } else {
    ELMAN_UNROLL
    for (int i = 0; i < w.count; i += 2)
      asm volatile("st.relaxed.gpu.global.v2.b64 [%0], {%1, %2};" ::"l"(to + i), "l"(high | w.v[i]),
                   "l"(high | w.v[i + 1])
                   : "memory");
  }
}

ELMAN_DEVICE Words look(const uint64_t* from) {
  Words found;
  asm volatile("ld.relaxed.gpu.global.v2.b64 {%0, %1}, [%2];"
               : "=l"(found.w[0]), "=l"(found.w[1])
               : "l"(from)
               : "memory");
  return found;
}

// What the two words say, once both are of the number `tag`; `found`: what a look at them gave.
ELMAN_DEVICE Bytes await(const uint64_t* from, Words found, uint32_t tag) {
  while (found.w[0] >> 32 != tag || found.w[1] >> 32 != tag) found = look(from);
  return {{static_cast<uint32_t>(found.w[0]), static_cast<uint32_t>(found.w[1])}};
}

// c += a b on the tensor cores: a [16, 16] and b [16, 8] of T, c [16, 8], each spread over the warp's lanes
// in the layout of mma.m16n8k16 (PTX ISA, "Matrix fragments").
template <class T>
ELMAN_DEVICE void multiply_tiles(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
#define ELMAN_MMA(type, name)                                                                             \
  template <>                                                                                             \
  ELMAN_DEVICE void multiply_tiles<type>(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { \
    asm("mma.sync.aligned.m16n8k16.row.col.f32." name "." name                                            \
        ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                            \
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                                  \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                              \
  }
ELMAN_MMA(Half, "f16")
ELMAN_MMA(Bfloat16, "bf16")
#undef ELMAN_MMA

ELMAN_DEVICE float round_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
}

// The same for floats rounded so, a [16, 8] and b [8, 8], in the layout of mma.m16n8k8.
ELMAN_DEVICE void multiply_tf32(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
        "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}

}  // namespace elman::cuda

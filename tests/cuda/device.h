// The GPU that csrc/cuda asks for (see csrc/cuda/gpu/device.h), played by one CPU thread: every GPU thread is
// a fiber, which runs until it waits for others. It shows what a GPU would leave to chance: shared memory
// begins as NaN, fibers run in an order drawn anew at each turn, in which some lag behind, what is pushed to
// a peer arrives some time later, waiting for ever is an error, and so is a store to a block that has ended.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "cuda/element.h"

#define ELMAN_DEVICE inline
#define ELMAN_HOST_DEVICE inline
#define ELMAN_KERNEL inline
#define ELMAN_PARAMETER const
#define ELMAN_LAUNCH_BOUNDS(threads)
#define ELMAN_NO_UNROLL
#define ELMAN_UNROLL
#define ELMAN_UNROLL_BY(count)

namespace elman::cuda {

inline float to_float(float x) { return x; }
inline float to_float(Tf32 x) { return x.value; }
inline float to_float(Half x) {
  _Float16 y;
  std::memcpy(&y, &x, 2);
  return static_cast<float>(y);
}
inline float to_float(Bfloat16 x) {
  const uint32_t bits = uint32_t{x.bits} << 16;
  float y;
  std::memcpy(&y, &bits, 4);
  return y;
}

template <class T> T from_float(float x);
template <> inline float from_float(float x) { return x; }
template <> inline Tf32 from_float(float x) { return {x}; }
template <> inline Half from_float(float x) {
  const _Float16 y = static_cast<_Float16>(x);
  Half z;
  std::memcpy(&z, &y, 2);
  return z;
}
template <> inline Bfloat16 from_float(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (x != x) return {static_cast<uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};  // to the nearest, ties to even
}

inline float power_of_two(float x) { return std::exp2(x); }
inline float reciprocal(float x) { return 1 / x; }
template <class T> uint32_t pack(float x, float y) {
  return from_float<T>(x).bits | uint32_t{from_float<T>(y).bits} << 16;
}

int thread_index();
int threads();
int block_index();
char* shared_memory();
void block_sync();
void warp_sync();
void cluster_sync();

// The same place in the shared memory of a block of the cluster.
void* at_peer(void* p, int rank);

// Barriers that count bytes, and stores that arrive some time later.
void init_arrivals(uint64_t* barriers);
void expect_arrivals(uint64_t* barrier, int bytes);
void wait_for_arrivals(uint64_t* barrier, int parity);
void push_bytes(void* p, int rank, const void* value, int bytes, uint64_t* barrier);
template <class V> void push_to_peer(V* p, int rank, V value, uint64_t* barrier) {
  constexpr int most = sizeof(V) < 8 ? sizeof(V) : 8;
  for (std::size_t i = 0; i < sizeof(V); i += most)
    push_bytes(reinterpret_cast<char*>(p) + i, rank, reinterpret_cast<char*>(&value) + i, most, barrier);
}

// Words of global memory that are posted, some time later than is said, and awaited.
struct Words {
  uint64_t w[2];
};
struct alignas(8) Bytes {
  uint32_t v[2];
};
void post_word(uint64_t* to, uint64_t word);
template <class V> void post(uint64_t* to, V value, uint32_t tag) {
  uint32_t bits[sizeof(V) / 4];
  std::memcpy(bits, &value, sizeof(V));
  for (std::size_t i = 0; i < sizeof(V) / 4; ++i) post_word(to + i, uint64_t{tag} << 32 | bits[i]);
}
inline Words look(const uint64_t* from) { return {{from[0], from[1]}}; }
Bytes await(const uint64_t* from, Words found, uint32_t tag);

// What the warp's lanes bring to a product of tiles: the registers of all, once all have come.
struct Fragments {
  uint32_t a[32][4], b[32][2];
};
const Fragments& gather(const uint32_t (&a)[4], const uint32_t (&b)[2]);

template <class T> void multiply_tiles(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const Fragments& all = gather(a, b);
  const int lane = thread_index() % 32;
  const auto half = [](uint32_t word, int k) {
    T value;
    value.bits = static_cast<uint16_t>(word >> 16 * (k % 2));
    return to_float(value);
  };
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 16; ++k) {
      const uint32_t x = all.a[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2];
      const uint32_t y = all.b[column * 4 + k % 8 / 2][k / 8];
      c[i] += half(x, k) * half(y, k);
    }
  }
}

inline float round_tf32(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits = (bits + 0x1000) & ~0x1fffu;  // to the nearest of 10 bits of mantissa, ties away from zero
  std::memcpy(&x, &bits, 4);
  return x;
}

inline void multiply_tf32(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
  uint32_t a_bits[4], b_bits[2];
  std::memcpy(a_bits, a, sizeof a);
  std::memcpy(b_bits, b, sizeof b);
  const Fragments& all = gather(a_bits, b_bits);
  const int lane = thread_index() % 32;
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 8; ++k) {
      float x, y;
      std::memcpy(&x, &all.a[row % 8 * 4 + k % 4][row / 8 + k / 4 * 2], 4);
      std::memcpy(&y, &all.b[column * 4 + k % 4][k / 4], 4);
      c[i] += x * y;
    }
  }
}

}  // namespace elman::cuda

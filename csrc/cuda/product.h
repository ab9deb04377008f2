// The recurrent product of a warp: a tile of weights, 16 units of one gate by K, times a tile of inputs, K by
// 8 segments. Of the 16 x 8 sums a lane gets those of units 2 (lane / 4) and the next, for segments
// 2 (lane % 4) and the next. It gets all gates of its units, so that the cell runs on the sums where they
// are. In shared memory the tiles lie as the lanes read them, in pairs (k, k + 1).
#pragma once

#include "job.h"
#include "pairs.h"
#include "simd/vec.h"

namespace elman::cuda {

// The sums of a lane: [unit][segment] as 2 unit + segment.
using Sums = float[4];

// The unit of row m of a tile of weights. Rows m and m + 8, which one lane gets, are neighbouring units.
ELMAN_DEVICE int unit_of_row(int m) { return 2 * (m % 8) + m / 8; }

// On the tensor cores, 16-bit.
template <class T> struct Product {
  static constexpr Tile tile = tile_16;
  static constexpr int K = tile.k, weight_pairs = tile.weight_pairs, input_pairs = tile.input_pairs;

  struct alignas(16) Weights {
    uint32_t bits[4];
  };
  struct alignas(8) Inputs {
    uint32_t bits[2];
  };
  static ELMAN_DEVICE int weight_at(int m, int k) { return (m % 8 * 4 + k % 8 / 2) * 4 + m / 8 + k / 8 * 2; }
  static ELMAN_DEVICE int input_at(int k, int n) { return (n * 4 + k % 8 / 2) * 2 + k / 8; }

  static ELMAN_DEVICE Pair<T> operand(Pair<T> p) { return p; }  // as the product takes it

  static ELMAN_DEVICE Weights weights(const Pair<T>* tile, int lane) {
    return reinterpret_cast<const Weights*>(tile)[lane];
  }
  static ELMAN_DEVICE Inputs inputs(const Pair<T>* tile, int lane) {
    return reinterpret_cast<const Inputs*>(tile)[lane];
  }
  static ELMAN_DEVICE void add(Sums& sums, const Weights& w, const Inputs& x) {
    multiply_tiles<T>(sums, w.bits, x.bits);
  }
};

// On the tensor cores, float rounded to 10 bits of mantissa. Terms 2 i and 2 i + 1 of a tile are the
// hardware's i and i + 4, in weights and inputs alike, so that pairs stay together.
template <> struct Product<Tf32> {
  static constexpr Tile tile = tile_tf32;
  static constexpr int K = tile.k, weight_pairs = tile.weight_pairs, input_pairs = tile.input_pairs;

  struct alignas(16) Weights {
    float v[4];
  };
  struct alignas(8) Inputs {
    float v[2];
  };
  static ELMAN_DEVICE int weight_at(int m, int k) { return (m % 8 * 4 + k / 2) * 2 + m / 8; }
  static ELMAN_DEVICE int input_at(int k, int n) { return n * 4 + k / 2; }
  static ELMAN_DEVICE Pair<Tf32> operand(Pair<Tf32> p) {
    return {{round_tf32(p.x.value)}, {round_tf32(p.y.value)}};
  }

  static ELMAN_DEVICE Weights weights(const Pair<Tf32>* tile, int lane) {
    return reinterpret_cast<const Weights*>(tile)[lane];
  }
  static ELMAN_DEVICE Inputs inputs(const Pair<Tf32>* tile, int lane) {
    return reinterpret_cast<const Inputs*>(tile)[lane];
  }
  static ELMAN_DEVICE void add(Sums& sums, const Weights& w, const Inputs& x) {
    multiply_tf32(sums, {w.v[0], w.v[2], w.v[1], w.v[3]}, x.v);
  }
};

// By multiply-adds, float: nothing is rounded to fewer bits.
template <> struct Product<float> {
  static constexpr Tile tile = tile_f32;
  static constexpr int K = tile.k, weight_pairs = tile.weight_pairs, input_pairs = tile.input_pairs;

  struct alignas(16) Four {
    float v[4];
  };
  struct Weights {
    Four unit[2];
  };
  struct Inputs {
    Four segment[2];
  };
  static ELMAN_DEVICE int weight_at(int m, int k) { return m * 2 + k / 2; }
  static ELMAN_DEVICE int input_at(int k, int n) { return n * 2 + k / 2; }

  static ELMAN_DEVICE Pair<float> operand(Pair<float> p) { return p; }

  static ELMAN_DEVICE Weights weights(const Pair<float>* tile, int lane) {
    const Four* units = reinterpret_cast<const Four*>(tile);
    return {units[lane / 4], units[lane / 4 + 8]};
  }
  static ELMAN_DEVICE Inputs inputs(const Pair<float>* tile, int lane) {
    const Four* columns = reinterpret_cast<const Four*>(tile);
    return {columns[lane % 4 * 2], columns[lane % 4 * 2 + 1]};
  }
  static ELMAN_DEVICE void add(Sums& sums, const Weights& w, const Inputs& x) {
    ELMAN_UNROLL
    for (int k = 0; k < K; ++k) {
      ELMAN_UNROLL
      for (int i = 0; i < 4; ++i) sums[i] = mul_add(w.unit[i / 2].v[k], x.segment[i % 2].v[k], sums[i]);
    }
  }
};

}  // namespace elman::cuda

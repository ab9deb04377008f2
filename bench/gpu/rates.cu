// What the pieces of a step take on this GPU, in cycles of a multiprocessor, as JSON: what the constants of
// the cost model (csrc/cuda/schedule.cpp) are to be. Built by `make cuda`, run by python -m bench.gpu rates.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cuda/product.h"
#include "launch.h"

namespace elman::cuda {
namespace {

constexpr int steps = 2000, threads_of_block = 256;

struct Task {
  int peers = 1;  // blocks that exchange with each other
  int words = 0;  // of 4 bytes, that a thread passes on to each
  uint64_t* memory = nullptr;
  long long* cycles = nullptr;  // of all steps
  float* result = nullptr;
};

template <class Step> ELMAN_DEVICE void timed(const Task& task, const Step& step) {
  const long long begin = clock64();
  ELMAN_NO_UNROLL
  for (int i = 1; i <= steps; ++i) step(i);
  if (thread_index() == 0 && block_index() == 0) *task.cycles = clock64() - begin;
}

ELMAN_KERNEL void nothing(ELMAN_PARAMETER Task) {}
ELMAN_KERNEL void block_meets(ELMAN_PARAMETER Task task) {
  timed(task, [](int) { block_sync(); });
}
ELMAN_KERNEL void cluster_meets(ELMAN_PARAMETER Task task) {
  cluster_sync();
  timed(task, [](int) { cluster_sync(); });
  cluster_sync();
}

// Each thread pushes its values to all peers' inboxes, of two that serve in turn.
ELMAN_KERNEL void cluster_pushes(ELMAN_PARAMETER Task task) {
  uint64_t* arrivals = reinterpret_cast<uint64_t*>(shared_memory());
  uint32_t* inbox = reinterpret_cast<uint32_t*>(arrivals + 2);
  const int own = block_index() % task.peers, all = task.words * threads();
  init_arrivals(arrivals);
  cluster_sync();
  timed(task, [&](int i) {
    for (int w = 0; w < task.words; ++w)
      for (int p = 1; p <= task.peers; ++p)
        push_to_peer(inbox + i % 2 * all * task.peers + own * all + w * threads() + thread_index(),
                     (own + p) % task.peers, uint32_t(i), arrivals + i % 2);
    if (thread_index() == 0) expect_arrivals(arrivals + i % 2, all * task.peers * 4);
    wait_for_arrivals(arrivals + i % 2, (i - 1) / 2 % 2);
  });
  cluster_sync();
}

// Words of global memory: each thread posts its own, and the block waits for those of all blocks.
ELMAN_KERNEL void grid_posts(ELMAN_PARAMETER Task task) {
  const int all = task.words * threads() * task.peers;  // pairs of words
  timed(task, [&](int i) {
    uint64_t* words = task.memory + i % 2 * all * 2;
    for (int w = 0; w < task.words; ++w)
      post(words + 2 * ((block_index() * task.words + w) * threads() + thread_index()),
           Pair<float>{1.f, float(i)}, i);
    for (int j = thread_index(); j < all; j += 4 * threads()) {
      Words found[4];
      ELMAN_UNROLL
      for (int k = 0; k < 4; ++k)
        if (j + k * threads() < all) found[k] = look(words + 2 * (j + k * threads()));
      ELMAN_UNROLL
      for (int k = 0; k < 4; ++k)
        if (j + k * threads() < all) await(words + 2 * (j + k * threads()), found[k], i);
    }
    block_sync();
  });
}

// Products of tiles, four of weights by one of inputs: all from registers, or weights from shared memory.
template <class T, bool shared> ELMAN_KERNEL void multiplies(ELMAN_PARAMETER Task task) {
  using P = Product<T>;
  constexpr int bytes = 64 << 10, tile_bytes = P::weight_pairs * sizeof(Pair<T>);
  Pair<T>* weights = reinterpret_cast<Pair<T>*>(shared_memory());
  for (int i = thread_index(); i < bytes / 4; i += threads()) reinterpret_cast<int*>(weights)[i] = 0;
  block_sync();
  const int lane = thread_index() % 32, warp = thread_index() / 32;
  Sums sums[4] = {};
  typename P::Inputs x = P::inputs(weights, lane);
  typename P::Weights w[4] = {};
  timed(task, [&](int i) {
    ELMAN_UNROLL
    for (int m = 0; m < 4; ++m) {
      if (shared)
        w[m] = P::weights(weights + (i * 32 + warp * 4 + m) * tile_bytes % bytes / sizeof(Pair<T>), lane);
      P::add(sums[m], w[m], x);
    }
  });
  for (int m = 0; m < 4; ++m)
    for (int i = 0; i < 4; ++i) task.result[thread_index()] += sums[m][i];
}

class Bench {
 public:
  Bench() {
    check(cudaMalloc(&task_.memory, 64 << 20));
    check(cudaMalloc(&task_.cycles, 8));
    check(cudaMalloc(&task_.result, threads_of_block * sizeof(float)));
    check(cudaStreamCreate(&stream_));
    printf("{");
  }
  ~Bench() { printf("\"end\": 0}\n"); }

  // Cycles of a step.
  void kernel(const char* name, void (*kernel)(Task), Grid grid, int words = 0) {
    grid.threads = threads_of_block;
    task_.words = words;
    task_.peers = grid.cluster > 1 ? grid.cluster : grid.blocks;
    check(cudaMemset(task_.memory, 0, 64 << 20));
    long long cycles = 0;
    for (int i = 0; i < 2; ++i) {
      if (i) check(cudaMemset(task_.memory, 0, 64 << 20));
      launch(kernel, grid, stream_, task_);
      check(cudaStreamSynchronize(stream_));
    }
    check(cudaMemcpy(&cycles, task_.cycles, 8, cudaMemcpyDeviceToHost));
    printf("\"%s\": %.1f, ", name, double(cycles) / steps);
  }

  // Nanoseconds from kernel to kernel of a graph; and the clock.
  void launches() {
    cudaEvent_t begin, end;
    check(cudaEventCreate(&begin));
    check(cudaEventCreate(&end));
    cudaGraph_t graph;
    cudaGraphExec_t ready;
    Grid grid;
    grid.blocks = 132;
    grid.threads = threads_of_block;
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal));
    for (int i = 0; i < 1000; ++i) launch(nothing, grid, stream_, task_);
    check(cudaStreamEndCapture(stream_, &graph));
    check(cudaGraphInstantiate(&ready, graph, 0));
    float ms = 0;
    for (int i = 0; i < 3; ++i) {
      check(cudaEventRecord(begin, stream_));
      check(cudaGraphLaunch(ready, stream_));
      check(cudaEventRecord(end, stream_));
      check(cudaEventSynchronize(end));
      check(cudaEventElapsedTime(&ms, begin, end));
    }
    printf("\"ns of a launch in a graph\": %.1f, ", ms * 1000);
    grid.blocks = 1;
    grid.shared_bytes = 64 << 10;
    check(cudaEventRecord(begin, stream_));
    for (int i = 0; i < 20; ++i) launch(multiplies<Bfloat16, true>, grid, stream_, task_);
    check(cudaEventRecord(end, stream_));
    check(cudaEventSynchronize(end));
    check(cudaEventElapsedTime(&ms, begin, end));
    long long cycles = 0;
    check(cudaMemcpy(&cycles, task_.cycles, 8, cudaMemcpyDeviceToHost));
    printf("\"MHz, at most a little more\": %.0f, ", 20 * double(cycles) / ms / 1000);
  }

 private:
  Task task_;
  cudaStream_t stream_;
};

Grid blocks(int count, int cluster, int shared_bytes, bool together = false) {
  Grid grid;
  grid.blocks = count;
  grid.cluster = cluster;
  grid.shared_bytes = shared_bytes;
  grid.together = together;
  return grid;
}

void run() {
  Bench bench;
  bench.launches();
  bench.kernel("block_sync", block_meets, blocks(132, 1, 0));
  char name[64];
  for (const int n : {2, 4, 8, 16}) {
    const int shared = 200 << 10, count = n == 16 ? n : 96;
    snprintf(name, sizeof name, "cluster_sync %d", n);
    bench.kernel(name, cluster_meets, blocks(count, n, shared));
    for (const int words : {1, 4}) {
      snprintf(name, sizeof name, "pushes %d x %d", n, words);
      bench.kernel(name, cluster_pushes, blocks(count, n, shared), words);
    }
  }
  for (const int n : {2, 8, 16, 32, 64, 128}) {
    snprintf(name, sizeof name, "posts %d", n);
    bench.kernel(name, grid_posts, blocks(n, 1, 0, true), 1);
  }
  const Grid one = blocks(132, 1, 64 << 10);
  bench.kernel("4 products bf16, registers", multiplies<Bfloat16, false>, one);
  bench.kernel("4 products bf16, shared", multiplies<Bfloat16, true>, one);
  bench.kernel("4 products tf32, registers", multiplies<Tf32, false>, one);
  bench.kernel("4 products tf32, shared", multiplies<Tf32, true>, one);
  bench.kernel("4 products fp32, registers", multiplies<float, false>, one);
  bench.kernel("4 products fp32, shared", multiplies<float, true>, one);
}

}  // namespace
}  // namespace elman::cuda

int main() {
  try {
    elman::cuda::run();
  } catch (const std::exception& error) {
    fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

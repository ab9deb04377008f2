// Launches, and what the GPU in use can do. tests/cuda/launch.h has the same names and runs kernels on a CPU.
#pragma once

#include <cuda_runtime.h>

#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace elman::cuda {

struct Grid {
  int blocks = 1, threads = 32, cluster = 1;
  std::size_t shared_bytes = 0;
  bool together = false;  // all blocks run at the same time: they may wait for each other
};

using Stream = cudaStream_t;

inline void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(std::string("CUDA: ") + cudaGetErrorString(error));
}

template <class Job> void launch(void (*kernel)(Job), const Grid& grid, Stream stream, const Job& job) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(grid.shared_bytes)));
  if (grid.cluster > 8)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  cudaLaunchAttribute attributes[2] = {};
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(grid.blocks);
  config.blockDim = dim3(grid.threads);
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = stream;
  config.attrs = attributes;
  if (grid.cluster > 1) {
    attributes[config.numAttrs].id = cudaLaunchAttributeClusterDimension;
    attributes[config.numAttrs].val.clusterDim = {static_cast<unsigned>(grid.cluster), 1, 1};
    ++config.numAttrs;
  }
  if (grid.together) {
    attributes[config.numAttrs].id = cudaLaunchAttributeCooperative;
    attributes[config.numAttrs].val.cooperative = 1;
    ++config.numAttrs;
  }
  check(cudaLaunchKernelEx(&config, kernel, job));
}

inline void clear(void* p, std::size_t bytes, Stream stream) { check(cudaMemsetAsync(p, 0, bytes, stream)); }

struct Limits {
  int multiprocessors, shared_bytes, blocks_at_once;
  std::vector<int> clusters;  // [n]: clusters of n blocks that run at once, if each has all shared memory
  std::string name;
};

inline int clusters_at_once(const void* kernel, int blocks, int threads, int shared_bytes) {
  if (blocks > 8 && cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1)) return 0;
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {static_cast<unsigned>(blocks), 1, 1};
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  config.attrs = &attribute;
  config.numAttrs = 1;
  int count = 0;
  return cudaOccupancyMaxActiveClusters(&count, kernel, &config) ? 0 : count;
}

// Of the current device; `kernel`: any, which clusters of `threads` are asked about. Asked once for each
// device: it takes the driver a millisecond.
inline Limits limits(const void* kernel, int threads) {
  static std::mutex mutex;
  static std::map<int, Limits> known;
  int device, multiprocessors, shared_bytes, major;
  check(cudaGetDevice(&device));
  const std::lock_guard<std::mutex> lock(mutex);
  if (const auto found = known.find(device); found != known.end()) return found->second;
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  check(cudaDeviceGetAttribute(&shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  // How many fit depends on how the multiprocessors lie in groups, of which some of a chip are switched off.
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  std::vector<int> clusters(17, 0);
  if (major >= 9)
    for (int n = 2; n <= 16; ++n) clusters[n] = clusters_at_once(kernel, n, threads, shared_bytes);
  cudaGetLastError();  // a size that this GPU does not take is no error
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device));
  return known[device] = {multiprocessors, shared_bytes, multiprocessors, clusters, properties.name};
}

}  // namespace elman::cuda

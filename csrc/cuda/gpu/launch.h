// Launches, and what the GPU in use can do. tests/cuda/launch.h has the same names and runs kernels on a CPU.
#pragma once

#include <cuda_runtime.h>

#include <map>
#include <mutex>
#include <stdexcept>
#include <string>

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
  int multiprocessors, shared_bytes, cluster, blocks_at_once;
  std::string name;
};

// Of the current device. Asked once for each: it takes the driver a millisecond.
inline Limits limits() {
  static std::mutex mutex;
  static std::map<int, Limits> known;
  int device, multiprocessors, shared_bytes, major;
  check(cudaGetDevice(&device));
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = known.find(device);
  if (found != known.end()) return found->second;
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  check(cudaDeviceGetAttribute(&shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  // Hopper and datacentre Blackwell take clusters of 16 blocks if asked to, other GPUs after Ampere 8.
  const int cluster = major < 9 ? 1 : major < 12 ? 16 : 8;
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device));
  return known[device] = {multiprocessors, shared_bytes, cluster, multiprocessors, properties.name};
}

}  // namespace elman::cuda
